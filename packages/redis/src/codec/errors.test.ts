/** Verdicts. */
import { describe, expect, it } from 'vitest'
import { classify } from './errors.ts'

describe('an error means to the connection', () => {
  it.each([
    ['-WRONGTYPE Operation against a key holding the wrong kind of value\r\n', 'call'],
    ['-ERR unknown command\r\n', 'call'],
    ['-EXECABORT Transaction discarded\r\n', 'call'],
    ['-NOSCRIPT No matching script\r\n', 'call'],
    ['-BUSYGROUP Consumer Group name already exists\r\n', 'call'],
    ['-OOM command not allowed when used memory\r\n', 'call'],
    ['-MOVED 3999 127.0.0.1:6381\r\n', 'call'],
    ['-READONLY You cannot write against a read only replica.\r\n', 'role-lost'],
    ['-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n', 'role-lost'],
    ['-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n', 'call'],
    ['-LOADING Redis is loading the dataset in memory\r\n', 'not-executed'],
    ['-MASTERDOWN Link with MASTER is down\r\n', 'not-executed'],
    ['-CLUSTERDOWN Hash slot not served\r\n', 'not-executed'],
    ['-TRYAGAIN Multiple keys request during rehashing of slot\r\n', 'not-executed'],
    ['-NOAUTH Authentication required.\r\n', 'retire'],
    ['-ERR Protocol error: invalid bulk length\r\n', 'retire'],
    ['-BUSY Redis is busy running a script.\r\n', 'overloaded'],
    ['!21\r\nREADONLY invalid call\r\n', 'role-lost'],
    ['-READONLYISH x\r\n', 'call'],
    ['-\r\n', 'call'],
    ['-LOADING\r\n', 'not-executed'],
    [`-ERR ${'x'.repeat(10_000)}\r\n`, 'call'],
  ])('%.40j: %s', (frame, verdict) => {
    const bytes = Buffer.from(`xx${frame}yy`)
    expect(classify(bytes, 2, 2 + frame.length)).toBe(verdict)
  })
})
