/**
 * Refuses a Node that is too old before anything else fails in a way that does not say so.
 */

/** @param {string} version */
export function requireNodeVersion(version) {
  if (isNodeSupported(version)) return
  console.error(`iokernel needs Node ${OLDEST.join('.')} or newer; this is Node ${version}.`)
  process.exit(1)
}

/**
 * @param {string} version
 * @returns {boolean}
 */
export function isNodeSupported(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** From 20.19 on, `require()` of a module works without a flag. */
const OLDEST = /** @type {const} */ ([20, 19])
