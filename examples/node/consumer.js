/**
 * Consumes one queue. Put your code into `onNewest`.
 *
 * As a program: `node consumer.js QUEUE_URL TABLE [--until-empty]`. As a Lambda function: the handler is
 * `consumer.handler`, and the environment variable `TABLE` names the table.
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Consumer } from './labelbox-queue.js'

/**
 * Must be idempotent, because it may be called twice for the same event. If it throws, the event is retried.
 * @type {import('./labelbox-queue.js').OnNewest}
 */
async function onNewest(event, body) {
  console.log(`${event.id} ${event.attributes.event ?? '-'} ${event.version}: ${body.length} bytes`)
}

export const { handler } = new Consumer(onNewest, process.env.TABLE ?? '')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { 'until-empty': { type: 'boolean' } } })
  const [queueUrl, table] = positionals
  if (positionals.length !== 2) {
    console.error('usage: node consumer.js QUEUE_URL TABLE [--until-empty]')
    process.exit(2)
  }
  const allDone = await new Consumer(onNewest, table).poll(queueUrl, { untilEmpty: values['until-empty'] })
  process.exitCode = allDone ? 0 : 1
}
