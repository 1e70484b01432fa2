/**
 * The number of the plugin contract. An integer and no version range: it survives bundling and is checked before
 * anything starts.
 */
export const PLUGIN_API = 1
export const PLUGIN_API_SUPPORTED: readonly number[] = [1]
