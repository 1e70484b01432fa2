/**
 * `@iokernel/core/testing`: what tests of plugins need from the kernel.
 */
export { ByteWriter } from '../plugin/byte-writer.ts'
