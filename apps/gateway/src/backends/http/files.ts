/**
 * Files, up and down: the body of one request is the body of the other, piece by piece; a small one in one piece.
 *
 * Rules: the next piece is taken when the other side has room for it, so neither side's size is memory here. A client
 * that leaves in the middle of an upload leaves the file as it was.
 */
import type { HttpClient, HttpResponse } from '@iokernel/http'
import { type Answer, json, noContent } from '../../http/answer.ts'
import { pieceStream } from '../../http/piece-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { filePath } from './file-names.ts'
import { accepted } from './refusals.ts'

export function fileRoutes(client: HttpClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/files/:name',
      summary: 'uploads the body, passed on as it comes; its digest comes back',
      example: `-T README.md -H 'Content-Type: text/markdown' %/files/readme`,
      handle: (request) => upload(client, streams, request),
    },
    {
      method: 'GET',
      path: '/files/:name',
      summary: 'downloads it, streamed at your pace',
      example: '-O -J %/files/readme',
      handle: (request) => download(client, streams, request),
    },
    {
      method: 'DELETE',
      path: '/files/:name',
      summary: 'removes it',
      example: '-X DELETE %/files/readme',
      handle: (request) => remove(client, request),
    },
    {
      method: 'GET',
      path: '/files',
      summary: 'all files: sizes, types, digests',
      example: '%/files',
      handle: (request) => list(client, request),
    },
  ]
}

async function upload(client: HttpClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  if (isSmall(request)) return put(client, request, await request.body(), describing(request, 'content-type'))
  // First: what has no reader yet when something is awaited would be read into memory.
  const pieces = request.bodyPieces(request.limits.importBytesMax)
  try {
    using _seat = streams.take()
    // The length where the client knows it: then the service is told too, and no chunks are needed.
    return await put(client, request, pieces, describing(request, 'content-type', 'content-length'))
  } finally {
    pieces.drop()
  }
}

async function put(
  client: HttpClient,
  request: GatewayRequest,
  body: Buffer | AsyncIterable<Buffer>,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  request.queryOnly()
  const path = filePath(request.name('name'))
  const response = await client.put(path, { ...request.call(), headers, body })
  const { status } = await accepted(response)
  return json(await response.body.json(), status)
}

async function download(client: HttpClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const path = filePath(request.name('name'))
  const seat = streams.take()
  let response: HttpResponse
  try {
    response = await accepted(await client.get(path, request.call()))
  } catch (error) {
    seat[Symbol.dispose]()
    throw error
  }
  const headers = Object.fromEntries(PASSED_ON.map((name) => [name, response.headers.get(name)]).filter(isGiven))
  return pieceStream({ pieces: response.body[Symbol.asyncIterator](), seat, left: request.signal }, headers)
}

async function remove(client: HttpClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  await accepted(await client.delete(filePath(request.name('name')), request.call()))
  return noContent()
}

async function list(client: HttpClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const response = await accepted(await client.get('/files', request.call()))
  return json(await response.body.json())
}

/** What fits into one write needs no connection of its own, and neither a seat. */
function isSmall(request: GatewayRequest): boolean {
  const announced = request.header('content-length')
  return announced !== undefined && Number(announced) <= SMALL_BYTES_MAX
}

function describing(request: GatewayRequest, ...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, request.header(name)]).filter(isGiven))
}

function isGiven(header: readonly (string | undefined)[]): header is readonly [string, string] {
  return header[1] !== undefined
}

/** What describes a file; everything else is between the service and us. */
const PASSED_ON: readonly string[] = ['content-type', 'content-length', 'etag']
/** A few reads of a socket. */
const SMALL_BYTES_MAX = 64 << 10
