/**
 * `@iokernel/core/toolkit`: what the client half of nearly every protocol needs, and would otherwise write again.
 *
 * Rules: for the application thread; an I/O half needs none of it. Built on the contract alone (`plugin/`), so that
 * whatever is here a plugin may as well write itself.
 */
export { Feed, type Gap } from './feed.ts'
