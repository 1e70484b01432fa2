/**
 * What may cross from one thread to the other.
 *
 * Rules: a value of this type survives `v8.serialize` unchanged. `URL`, class instances and functions do not (a `URL`
 * silently becomes `{}`), which is why options are spelled out as plain data before they leave the application thread.
 */
export type Cloneable =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Cloneable[]
  | { readonly [key: string]: Cloneable }
