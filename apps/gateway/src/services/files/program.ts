/** The HTTP service as a program: files, in memory, for as long as it runs. */
import { live } from '../life.ts'
import { fileServer } from './server.ts'

await live('files/1', fileServer())
