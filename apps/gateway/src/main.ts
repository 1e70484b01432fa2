/**
 * The program behind `npm start`. With `--check` it shows that everything works, and ends.
 *
 * Rules: SIGINT and SIGTERM stop it gracefully, a second one at once. Before it listens, they end the process as
 * always: the servers' keeper cleans up behind it.
 */
import { BACKENDS } from './backends/table.ts'
import { runCheck } from './check/check.ts'
import { type Gateway, NoBackendError, startGateway } from './gateway.ts'
import { type ProgramOptions, parseOptions } from './options.ts'

async function main(): Promise<void> {
  let options: ProgramOptions
  try {
    options = parseOptions(process.argv.slice(2), process.env)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
    return
  }
  try {
    process.exitCode = options.check ? await check(options) : await serve(options)
  } catch (error) {
    console.error(error instanceof NoBackendError ? error.message : error)
    process.exitCode = 1
  }
}

async function check(options: ProgramOptions): Promise<number> {
  const { lines, passed, remark } = await runCheck({ ...options, backends: BACKENDS })
  for (const line of lines) console.log(line)
  if (remark !== undefined) console.error(remark)
  return passed ? 0 : 1
}

async function serve(options: ProgramOptions): Promise<number> {
  await using gateway = await startGateway({ ...options, backends: BACKENDS })
  announce(gateway)
  const signal = await firstSignal()
  console.log(`\n${signal}: taking no more requests, answering the ones I have`)
  return 0
}

function announce(gateway: Gateway): void {
  console.log(`The gateway listens on ${gateway.url}`)
  for (const { name, server, connection } of gateway.open) {
    const where = connection.state.endpoints.join(', ')
    console.log(`  ${name} ${server.version} at ${where} (${server.source})`)
  }
  for (const { name, reason } of gateway.missing) console.log(`  ${name} is missing: ${reason}`)
  console.log()
  for (const { method, path, summary, example } of gateway.routes) {
    console.log(`  ${`${method} ${path}`.padEnd(ENDPOINT_COLUMNS)} ${summary}`)
    console.log(`      curl -i ${example.replace('%', gateway.url)}`)
  }
  console.log('\nThe header Server-Timing of each answer says where its time went. Ctrl-C stops everything.')
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(130)
      isStopping = true
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}

const ENDPOINT_COLUMNS = 26

// Last, when the constants above exist.
await main()
