/** The call options of Redis: everybody's, with a word to those who write the options of a command as an object. */
import type { CallOptions } from '@iokernel/core/plugin'
import { CALL_OPTIONS as COMMON, type Kind } from '@iokernel/core/toolkit'

export const CALL_OPTIONS: Kind<CallOptions> = { ...COMMON, advice: 'options of a command are words' }
