/**
 * What the keeper and the process it serves say to each other: one JSON object a line, requests over the keeper's
 * stdin, reports over its stdout. Types only: both ends import this file and nothing of each other.
 */

/** The program that runs in a lodging. Its output goes to `output.log` in the lodging's folder. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  /** The account it runs as, for a program that refuses to be root. The keeper's own if left out. */
  readonly account?: { readonly uid: number; readonly gid: number }
  /** All of its environment. The keeper's own if left out. */
  readonly environment?: Readonly<Record<string, string>>
  /** A file that the program reads as its stdin. */
  readonly input?: string
  /** How it is asked to end: each signal in turn, with the time it has to work. SIGKILL follows the last. */
  readonly ending: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[]
  /** Runs after the program has ended: a container outlives the client that started it. */
  readonly farewell?: { readonly command: string; readonly args: readonly string[] }
}

export type KeeperRequest =
  | { readonly do: 'open'; readonly lodging: number; readonly name: string }
  | { readonly do: 'launch'; readonly lodging: number; readonly launch: Launch }
  | { readonly do: 'kill'; readonly lodging: number; readonly signal: NodeJS.Signals }
  | { readonly do: 'close'; readonly lodging: number }

export type KeeperReport =
  | { readonly did: 'open'; readonly lodging: number; readonly folder: string }
  | { readonly did: 'launch'; readonly lodging: number; readonly pid: number }
  | { readonly did: 'kill'; readonly lodging: number }
  | { readonly did: 'close'; readonly lodging: number }
  | { readonly did: 'exit'; readonly lodging: number; readonly code: number | null; readonly signal: string | null }
  | { readonly did: 'fail'; readonly lodging: number; readonly reason: string }
