/** The msgpack-rpc service as a program: jobs, in memory, for as long as it runs. */
import { live } from '../life.ts'
import { jobServer } from './server.ts'

await live('jobs/1', jobServer())
