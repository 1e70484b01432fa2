/**
 * What the keeper and the process it serves say to each other: one JSON object a line, requests over the keeper's
 * stdin, reports over its stdout. Types only: both ends import this file and nothing of each other.
 */

/** The program that runs in a lodging. Its output goes to `output.log` in the lodging's folder. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  /** How long the program may take to end after SIGTERM before it gets SIGKILL. */
  readonly graceMs: number
  /** Runs after the program has ended: a container outlives the client that started it. */
  readonly farewell?: { readonly command: string; readonly args: readonly string[] }
}

export type KeeperRequest =
  | { readonly do: 'open'; readonly lodging: number; readonly name: string }
  | { readonly do: 'launch'; readonly lodging: number; readonly launch: Launch }
  | { readonly do: 'close'; readonly lodging: number }

export type KeeperReport =
  | { readonly did: 'open'; readonly lodging: number; readonly folder: string }
  | { readonly did: 'launch'; readonly lodging: number; readonly pid: number }
  | { readonly did: 'close'; readonly lodging: number }
  | { readonly did: 'exit'; readonly lodging: number; readonly code: number | null; readonly signal: string | null }
  | { readonly did: 'fail'; readonly lodging: number; readonly reason: string }
