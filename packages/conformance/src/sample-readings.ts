/**
 * Samples of the codec as the framer meets them: the request as `encode` writes it, and the reply behind it.
 */
import { ByteWriter } from '@iokernel/core/plugin'
import type { Driver } from './driver.ts'
import { driveOn, prepare, type Reading } from './play.ts'
import { bytesOf, type Sample, type Subject } from './subject.ts'

/** The reply of one call; of an operation that is only written, nothing. */
export function readSample(subject: Subject, one: Sample): Reading {
  const silent = one.operation.answer === 'written'
  const request = { ...encodedSample(one), silent }
  return driveOn(prepareSample(subject, one), { requests: [request], chunks: silent ? [] : [bytesOf(one.reply)] })
}

/** A connection that reads such a reply. */
export function prepareSample(subject: Subject, { after, operation }: Sample): Driver {
  return prepare(subject, {
    ...(after === undefined ? {} : { after }),
    ...(operation.on === 'session' ? { purpose: 'session' } : {}),
  })
}

export function encodedSample({ operation, args }: Sample): { readonly hint: number; readonly payload: Uint8Array } {
  const out = new ByteWriter()
  const hint = operation.encode(out, args)
  return { hint, payload: Uint8Array.from(out.written()) }
}
