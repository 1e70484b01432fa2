/**
 * `@iokernel/conformance`: what every protocol plugin must pass, and the driver it is passed with.
 */
export type { Arrival } from './arrivals.ts'
export { conformance } from './conformance.ts'
export type { DriverOptions } from './driver.ts'
export { Driver } from './driver.ts'
export type { Conversation, Cut, DriveInput, Reading } from './play.ts'
export { byteByByte, drive, playScript, whole } from './play.ts'
export type { Runner } from './runner.ts'
export type { ScriptOutcome } from './script-run.ts'
export { ScriptRun } from './script-run.ts'
export type {
  Bytes,
  Expected,
  Fixture,
  HostileInput,
  LargeFrame,
  Outstanding,
  PeerStep,
  Sample,
  ScriptName,
  Setting,
  Subject,
  Transcript,
} from './subject.ts'
export { sample } from './subject.ts'
