/**
 * `@iokernel/core/testing`: what tests of plugins need from the kernel: a protocol small enough to see through, a peer
 * that does what the test says, a link that the test answers, and one connection to a real server.
 */
export { ByteWriter } from '../plugin/byte-writer.ts'
export { type FakeAnswer, FakeLink, type FakeLinkOptions, type Piece, type SeenCall } from './fake-link.ts'
export { type LinesClient, type LinesTarget, lines } from './lines.ts'
export { Live, type LiveOptions, type LivePlace, type LiveReply } from './live.ts'
export { type LineHandler, ScriptedPeer } from './scripted-peer.ts'
export { withShared } from './shared-reply.ts'
