/** The shared test configuration as it is. */
import { packageTests } from '../../vitest.shared.ts'

export default packageTests()
