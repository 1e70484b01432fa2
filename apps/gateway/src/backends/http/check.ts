/**
 * What the gateway promises for HTTP, asked of it over HTTP: files come back as they were sent, whatever their size and
 * at the pace of whoever reads them, their changes are told, and who is slow delays nobody.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'
import { MemoryWatch, slowly } from '../../check/memory-watch.ts'
import { staysFast } from '../../check/stays-fast.ts'

export async function checkHttp(caller: Caller): Promise<string> {
  const name = `gateway-check-${randomUUID()}/ü`
  const path = `/files/${encodeURIComponent(name)}`
  try {
    const kept = await keepsFiles(caller, path)
    const heard = await tellsChanges(caller, name, path)
    const streamed = await streams(caller, name, path)
    const waited = await staysFast(caller, { slow: '/http/slow', fast: '/files' })
    return [kept, heard, streamed, waited].join(', ')
  } finally {
    await caller.send('DELETE', path, [204, 404])
  }
}

async function keepsFiles(caller: Caller, path: string): Promise<string> {
  await caller.send('GET', path, 404)
  const value = randomBytes(KEPT_BYTES)
  const headers = { 'content-type': 'application/x-gateway-check' }
  await caller.send('PUT', path, 201, { body: value, headers })
  const { body, contentType } = await caller.send('GET', path, 200)
  if (!body.equals(value)) throw new Error(`${value.length} bytes were uploaded and ${body.length} others came back`)
  expectEqual(contentType, headers['content-type'], 'the content type')
  return `${body.length} bytes the same`
}

async function tellsChanges(caller: Caller, name: string, path: string): Promise<string> {
  await using events = await caller.events('/files/changes')
  await caller.send('DELETE', path, 204)
  for (;;) {
    const event = (await events.next()) as { readonly name?: string; readonly change?: string }
    // Others may use the gateway too.
    if (event.name !== name) continue
    expectEqual(event.change, 'removed', 'the change')
    return 'change received'
  }
}

/** Up as it is made, down as slowly as somebody reads. */
async function streams(caller: Caller, name: string, path: string): Promise<string> {
  const sent = createHash('sha256')
  const body = ReadableStream.from(filePieces((piece) => sent.update(piece)))
  const { body: reply } = await caller.send('PUT', path, 201, { body })
  const digest = sent.digest('hex')
  expectEqual((JSON.parse(reply.toString()) as { sha256: string }).sha256, digest, 'the digest of the upload')
  const { parts } = (await caller.json('GET', `/overview/${encodeURIComponent(name)}`)) as {
    parts: { http: { found: boolean } }
  }
  expectEqual(parts.http.found, true, 'whether the overview has the file')
  const memory = new MemoryWatch()
  const received = createHash('sha256')
  let bytes = 0
  for await (const piece of slowly(caller.pieces(path), () => memory.look())) {
    received.update(piece)
    bytes += piece.length
  }
  await memory.look()
  expectEqual(bytes, STREAMED_BYTES, 'the number of bytes')
  expectEqual(received.digest('hex'), digest, 'the digest of the download')
  if (memory.grownBytes > bytes / 2) {
    throw new Error(`${bytes} bytes were read slowly, and memory grew by ${memory.grownBytes}`)
  }
  for (let left = 0; left < LEAVING; left++) {
    for await (const _ of caller.pieces(path)) break
  }
  const [megabytes, grown] = [bytes, memory.grownBytes].map((count) => (count / 1e6).toFixed(1))
  return `${megabytes} MB up and down the same, read slowly with ${grown} MB more memory`
}

function* filePieces(tell: (piece: Uint8Array) => void): Generator<Uint8Array> {
  for (let bytes = 0; bytes < STREAMED_BYTES; bytes += PIECE_BYTES) {
    const piece = randomBytes(PIECE_BYTES)
    tell(piece)
    yield piece
  }
}

/** More than one segment of TCP and one read of the kernel. */
const KEPT_BYTES = 100_000
/** Several times what lies in the sockets' buffers on the way. */
const STREAMED_BYTES = 48 << 20
const PIECE_BYTES = 64 << 10
/** More than there are connections for brief requests. */
const LEAVING = 60
