/** Placeholder: says that there are no benchmarks yet, and fails. */
console.error('There are no benchmarks yet.')
process.exitCode = 1

export {}
