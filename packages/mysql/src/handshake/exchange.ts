/**
 * Packets of a handshake, one after another: they count from the server's greeting on, in both directions.
 *
 * Rules: a packet that is out of its place ends the connection. An ERR is thrown, whatever its number: a server that
 * has no room says so before it has counted anything.
 */
import type { Script } from '@iokernel/core/plugin'
import { ByteWriter, frame, RemoteProtocolError, send } from '@iokernel/core/plugin'
import { errorNumber, isError } from '../codec/errors.ts'
import { beginPacket, endPacket, HEADER_BYTES } from '../codec/packet.ts'
import { refusal } from './refusal.ts'

export class Exchange {
  #sequence: number

  constructor() {
    this.#sequence = 0
  }

  /** The server's next packet, header included. */
  *receive(step: string): Script<Buffer> {
    const bytes = yield* frame()
    const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    if (isError(packet, 0, packet.length)) throw refusal(errorNumber(packet, 0, packet.length), step)
    if (packet.length <= HEADER_BYTES) throw new RemoteProtocolError(`an empty packet during ${step}`)
    if (packet[3] !== this.#sequence) {
      throw new RemoteProtocolError(
        `a packet with the number ${packet[3]}, where ${this.#sequence} is due, during ${step}`,
      )
    }
    this.#sequence = (this.#sequence + 1) & 255
    return packet
  }

  *send(write: (out: ByteWriter) => void): Script<void> {
    const out = new ByteWriter(256)
    const at = beginPacket(out)
    write(out)
    this.#sequence = endPacket(out, at, this.#sequence)
    yield* send(out.written())
  }
}
