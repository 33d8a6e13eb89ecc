// Runs the boot file (first argument) as the version of Node in the second argument would, with
// the agent in the third, and says whether the agent was loaded.
'use strict';
const [boot, version, agent] = process.argv.slice(2);
Object.defineProperty(process.versions, 'node', { value: version });
process.env.OPENTELEMETRY_INJECTOR_BOOT_AGENT_PATH = agent;
require(boot);
console.log(Object.keys(require.cache).some((file) => file.startsWith(agent)));
