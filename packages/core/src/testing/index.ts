/**
 * `@iokernel/core/testing`: what tests of plugins need from the kernel: a protocol small enough to see through, and a
 * peer that does what the test says.
 */
export { ByteWriter } from '../plugin/byte-writer.ts'
export { type LinesClient, type LinesTarget, lines } from './lines.ts'
export { type LineHandler, ScriptedPeer } from './scripted-peer.ts'
