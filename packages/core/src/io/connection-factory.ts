/**
 * Opens the connections of one upstream, and tells the application threads what they need to decode what comes over
 * them.
 *
 * Rules: every connection of an upstream comes from here, whatever its purpose, so that `closeAll` misses none. Replies
 * are decoded with the facts of their connection: the facts travel ahead of the first reply, in the same ring.
 */
import type { EventMessage, UpstreamConfiguration } from '../channel/messages.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Connection, IoProtocol, Place } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import type { IoKernelError } from '../plugin/errors.ts'
import type { Attachment } from './attachment.ts'
import type { ConnectionOwner, ConnectionServices, Purpose } from './connection-owner.ts'
import { LiveConnection } from './live-connection.ts'

export interface FactoryServices extends ConnectionServices {
  nextConnectionId(): number
}

export interface OpenedConnection {
  readonly connection: LiveConnection
  /** The plugin's half of it, for probes and resets. */
  readonly protocol: Connection
}

export class ConnectionFactory {
  readonly #configuration: UpstreamConfiguration
  readonly #protocol: IoProtocol<Cloneable>
  readonly #services: FactoryServices
  /** Application threads that use this upstream. */
  readonly #attachments: () => Iterable<Attachment>
  readonly #connections = new Set<LiveConnection>()
  readonly #introduced = new Set<LiveConnection>()

  constructor(
    configuration: UpstreamConfiguration,
    protocol: IoProtocol<Cloneable>,
    services: FactoryServices,
    attachments: () => Iterable<Attachment>,
  ) {
    this.#configuration = configuration
    this.#protocol = protocol
    this.#services = services
    this.#attachments = attachments
  }

  /** Bytes were handed to a socket and have not left. */
  get hasUnsent(): boolean {
    return [...this.#connections].some((connection) => connection.unsentBytes > 0)
  }

  /** `cancels`: for a connection of purpose `cancel`. */
  open(
    purpose: Purpose,
    endpoint: Endpoint,
    credentials: Cloneable,
    owner: ConnectionOwner,
    cancels?: Cloneable,
  ): OpenedConnection {
    const { tls, limits, name, authority, correlated } = this.#configuration
    const protocol = this.#newProtocol(purpose, endpoint, credentials, cancels)
    const id = this.#services.nextConnectionId()
    const settings = {
      id,
      purpose,
      endpoint,
      host: nameOf(endpoint, name.target),
      tls,
      authority,
      limits,
      protocol,
    }
    const connection = new LiveConnection(settings, this.#introducing(owner), this.#services, correlated)
    this.#connections.add(connection)
    return { connection, protocol }
  }

  /** Whether the protocol's monitors have anything to ask. */
  canProbe(endpoint: Endpoint): boolean {
    return this.#newProtocol('monitor', endpoint, undefined).probe !== undefined
  }

  /** For a thread that comes later: what it needs to know of the connections there are. */
  introduceAll(attachment: Attachment): void {
    for (const connection of this.#introduced) attachment.event(introduction(connection))
  }

  /** The connection with this number, if its handshake is done: from then to its end it can be written on. */
  writable(id: number): LiveConnection | undefined {
    for (const connection of this.#introduced) if (connection.id === id) return connection
    return undefined
  }

  closeAll(error: IoKernelError): void {
    for (const connection of [...this.#connections]) connection.destroy(error)
  }

  #newProtocol(purpose: Purpose, endpoint: Endpoint, credentials: Cloneable, cancels?: Cloneable): Connection {
    const { tls, io } = this.#configuration
    const { environment } = this.#services
    return newConnection(this.#protocol, io, {
      side: 'client',
      purpose,
      endpoint,
      encrypted: tls !== undefined && tls.mode !== 'negotiated',
      credentials,
      ...(cancels === undefined ? {} : { cancels }),
      random: (length) => environment.random(length),
    })
  }

  /** The owner, with the introduction before it and the farewell. */
  #introducing(owner: ConnectionOwner): ConnectionOwner {
    return {
      onReady: (connection) => {
        this.#introduced.add(connection)
        for (const attachment of this.#attachments()) attachment.event(introduction(connection))
        owner.onReady(connection)
      },
      onClosed: (connection, error) => {
        this.#connections.delete(connection)
        if (this.#introduced.delete(connection)) {
          for (const attachment of this.#attachments()) attachment.event({ type: 'facts-gone', id: connection.id })
        }
        owner.onClosed(connection, error)
      },
      onRetiring: (connection) => owner.onRetiring?.(connection),
      onRoleLost: (connection) => owner.onRoleLost?.(connection),
      onProgress: (connection) => owner.onProgress(connection),
      // Before the handshake is done nobody knows who speaks.
      onPush: (connection, bytes, start, end) => {
        if (this.#introduced.has(connection)) owner.onPush(connection, bytes, start, end)
      },
      onAsked: (connection, bytes, start, end) =>
        this.#introduced.has(connection) && owner.onAsked?.(connection, bytes, start, end) === true,
      onStray: (connection, bytes, start, end, flags) => owner.onStray(connection, bytes, start, end, flags),
      onNotExecuted: (connection, call) => owner.onNotExecuted(connection, call),
      onDirty: (connection) => owner.onDirty?.(connection),
      ...(owner.onStale && { onStale: (connection, call) => owner.onStale?.(connection, call) }),
      ...(owner.onAnswered && { onAnswered: (connection, call) => owner.onAnswered?.(connection, call) }),
    }
  }
}

function introduction({ id, endpoint, facts }: LiveConnection): EventMessage {
  return { type: 'facts', id, endpoint: endpoint.id, facts }
}

/** A plugin that cannot make a connection fails its handshake: one way for every failure. */
function newConnection(protocol: IoProtocol<Cloneable>, io: Cloneable, place: Place): Connection {
  try {
    return protocol.connection(io, place)
  } catch (error) {
    return {
      // biome-ignore lint/correctness/useYield: a script that fails before its first step.
      *handshake() {
        throw error
      },
      scan: () => 0,
    }
  }
}

/** What certificates are checked against: the name that the application wrote for this address. */
function nameOf(endpoint: Endpoint, target: string): string {
  if (endpoint.name !== undefined) return endpoint.name
  const names = target.split(',')
  // A discovery that says nothing of names stands for one; of several addresses each is its own name.
  if (names.length > 1) return endpoint.host
  const first = (names[0] as string).trim()
  return first.replace(/^\[([^\]]+)\].*$/, '$1').replace(/^([^:]+):\d+$/, '$1')
}
