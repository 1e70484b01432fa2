/**
 * What callers give for a request: judged, and made into a call.
 *
 * Rules: an unknown option, and one of a wrong type, is `LocalError` `ARGUMENT`, and nothing is sent. A path begins
 * with a slash (`*` for OPTIONS); the rest of it is judged while it is written. A small body that is known goes out
 * with its head; everything else is an upload.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  checkOptions,
  type Kind,
  must,
  mustBeBoolean,
  mustBeCount,
  mustBeFunction,
  wrong,
} from '@iokernel/core/toolkit'
import type { HttpApp } from '../app.ts'
import { checkLength } from '../codec/encode.ts'
import { RequestHint } from '../codec/request.ts'
import { type FieldsGiven, isToken, pairsOf, TemplateCache, type TemplateDefaults } from '../codec/template.ts'
import { type BodyGiven, type Contents, contentsOf } from './contents.ts'
import { type HttpCall, type HttpOperation, isKnown, type MethodOperations, operationsFor } from './operations.ts'
import type { OnInformation } from './response.ts'

export interface RequestOptions extends CallOptions {
  /** Added to those of the target, whose fields of the same name they replace. */
  readonly headers?: FieldsGiven
  readonly body?: BodyGiven
  /** A body that is `JSON.stringify(json)`, and its content-type unless one is given. */
  readonly json?: unknown
  /** Sent behind the body, which then goes out in chunks. A function is asked once the body has ended. */
  readonly trailers?: FieldsGiven | (() => FieldsGiven)
  /** Send the body once the server has said 100, or has said nothing for a second. */
  readonly expectContinue?: boolean
  /** Called for each 1xx head before the reply: 103 Early Hints. */
  readonly onInformation?: OnInformation
  /** The most that is gathered of a body that is a stream. Default: the target's. */
  readonly bodyBytesMax?: number
}

const mustBeFields = must(
  (value) => typeof value === 'object' && value !== null,
  'an object, or pairs of name and value',
)

export const REQUEST_OPTIONS: Kind<RequestOptions> = {
  title: 'option of a request',
  checks: {
    ...CALL_OPTIONS.checks,
    headers: mustBeFields,
    // Judged where it is taken apart.
    body: () => undefined,
    json: () => undefined,
    trailers: must(
      (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
      'an object, pairs, or a function that returns them',
    ),
    expectContinue: mustBeBoolean,
    onInformation: mustBeFunction,
    bodyBytesMax: mustBeCount,
  },
}

/** A request that is ready: by `call` alone, or with `contents` behind it. */
export interface PreparedRequest {
  readonly operation: HttpOperation
  readonly call: HttpCall
  readonly contents: Contents | undefined
}

/** What is the same for all requests of a method to one target. */
interface Method {
  readonly name: string
  /** `GET `, with the origin behind it where a proxy is given whole URLs. */
  readonly start: string
  readonly operations: MethodOperations
  readonly isHead: boolean
  readonly saysNone: boolean
}

/** More than there are in the registry of methods (40). */
const METHODS_MAX = 64

export class Requests {
  readonly #app: HttpApp
  readonly #templates: TemplateCache
  readonly #methods = new Map<string, Method>()

  constructor(app: HttpApp) {
    this.#app = app
    this.#templates = new TemplateCache(defaultsOf(app))
  }

  prepare(methodName: string, path: string, options: RequestOptions | undefined): PreparedRequest {
    const method = this.#methods.get(methodName) ?? this.#newMethod(methodName)
    const written = this.#path(path, method)
    if (options !== undefined) return this.#prepareWith(method, written, options)
    return {
      operation: this.#operation(method),
      call: {
        start: method.start,
        path: written,
        template: this.#templates.of(undefined),
        hint: method.isHead ? RequestHint.Request | RequestHint.Head : RequestHint.Request,
        isHead: method.isHead,
        saysNone: method.saysNone,
        body: undefined,
        uploadBytes: undefined,
        onInformation: undefined,
        bodyBytesMax: this.#app.bodyBytesMax,
      },
      contents: undefined,
    }
  }

  /** A request for the connection itself, with `lines` of our own in its head. */
  prepareTakeOver(
    start: string,
    path: string,
    hint: number,
    headers: FieldsGiven | undefined,
    lines: readonly (readonly [name: string, value: string])[],
  ): HttpCall {
    return {
      start,
      path,
      template: this.#templates.with(headers, lines),
      hint: RequestHint.Request | hint,
      isHead: false,
      saysNone: false,
      body: undefined,
      uploadBytes: undefined,
      onInformation: undefined,
      bodyBytesMax: this.#app.bodyBytesMax,
    }
  }

  /** What stands before the path where a proxy is given whole URLs; otherwise empty. */
  get origin(): string {
    return this.#app.origin
  }

  #prepareWith(method: Method, path: string, options: RequestOptions): PreparedRequest {
    checkOptions(options, REQUEST_OPTIONS)
    const { headers, onInformation, expectContinue } = options
    const contents = hasBody(options) ? contentsOf(options) : undefined
    const isChunked = options.trailers !== undefined
    if (contents === undefined && isChunked) throw wrong('trailers stand behind a body: give one')
    let template = this.#templates.of(headers)
    const lines: (readonly [string, string])[] = []
    if (contents?.contentType !== undefined && !template.hasContentType) {
      lines.push(['content-type', contents.contentType])
    }
    if (contents !== undefined && expectContinue === true) lines.push(['expect', '100-continue'])
    if (lines.length > 0) template = this.#templates.with(headers, lines)
    let hint: number = RequestHint.Request
    if (method.isHead) hint |= RequestHint.Head
    if (template.closes) hint |= RequestHint.CloseAfter
    if (onInformation !== undefined) hint |= RequestHint.Interim
    const isUpload = contents !== undefined && (contents.whole === undefined || expectContinue === true || isChunked)
    const knownBytes = lengthOf(contents)
    if (isUpload && knownBytes !== undefined) checkLength(template, knownBytes)
    return {
      operation: this.#operation(method),
      call: {
        start: method.start,
        path,
        template,
        hint,
        isHead: method.isHead,
        saysNone: method.saysNone,
        body: isUpload ? undefined : contents?.whole,
        uploadBytes: isUpload && !isChunked ? (knownBytes ?? template.bodyBytes) : undefined,
        onInformation,
        bodyBytesMax: options.bodyBytesMax ?? this.#app.bodyBytesMax,
      },
      contents: isUpload ? contents : undefined,
    }
  }

  #operation({ operations }: Method): HttpOperation {
    return this.#app.isPipelined ? (operations.behind ?? operations.alone) : operations.alone
  }

  #newMethod(name: string): Method {
    if (typeof name !== 'string' || !isToken(name)) throw wrong('a method is a word like GET')
    if (name === 'CONNECT') throw wrong('CONNECT makes a tunnel: use tunnel()')
    if (name !== name.toUpperCase() && isKnown(name)) throw wrong('methods are written in capitals: GET')
    const method: Method = {
      name,
      start: `${name} ${this.#app.origin}`,
      operations: operationsFor(name),
      isHead: name === 'HEAD',
      // RFC 9110, section 8.6: whoever expects a body is told that there is none.
      saysNone: name === 'POST' || name === 'PUT' || name === 'PATCH',
    }
    if (this.#methods.size < METHODS_MAX) this.#methods.set(name, method)
    return method
  }

  #path(path: string, method: Method): string {
    if (typeof path !== 'string') throw wrong('a path is a string that begins with a slash: /users?page=2')
    if (path.charCodeAt(0) === SLASH) return path
    if (path === '*' && method.name === 'OPTIONS') return this.#app.origin === '' ? '*' : ''
    throw wrong('a path begins with a slash: /users?page=2. The rest of a URL belongs to the target')
  }
}

function defaultsOf({ host, headers, proxyAuthorization }: HttpApp): TemplateDefaults {
  if (proxyAuthorization === undefined) return { host, fields: headers }
  return { host, fields: [...pairsOf(headers), ['proxy-authorization', proxyAuthorization]] }
}

function lengthOf(contents: Contents | undefined): number | undefined {
  if (typeof contents?.whole === 'string') return Buffer.byteLength(contents.whole)
  return contents?.bytes
}

function hasBody({ body, json }: RequestOptions): boolean {
  if (body !== undefined && json !== undefined) throw wrong('body and json are two ways to say one thing: give one')
  return (body !== undefined && body !== null) || json !== undefined
}

const SLASH = 0x2f
