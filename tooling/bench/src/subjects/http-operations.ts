/** What is asked of an HTTP server, the same for every client. */
import { readDocuments } from './json-documents.ts'
import type { SubjectClient } from './subject.ts'

export interface HttpCalls {
  /** Rejects for any status but 200; resolves with what the JSON says. */
  getJson(path: string): Promise<unknown>
  close(): Promise<unknown>
}

export function httpClient(calls: HttpCalls): SubjectClient {
  return {
    operation: (name, bytes) => {
      if (name !== 'json') throw new Error(`there is no operation '${name}' for HTTP`)
      return readDocuments((path) => calls.getJson(path), bytes)
    },
    close: async () => {
      await calls.close()
    },
  }
}

export function assertOk(status: number | undefined): void {
  if (status !== 200) throw new Error(`the server answered ${status}`)
}

/** As many as the kernel's plugin takes by default: one for each of the calls that are in flight. */
export const CONNECTIONS = 64
