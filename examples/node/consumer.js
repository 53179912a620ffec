/**
 * A consumer of one queue: put your work into `onNewest`.
 *
 * As a program: `node consumer.js QUEUE_URL TABLE [--until-empty]`. As a Lambda function: `consumer.handler`, with
 * the variable `TABLE`.
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Consumer } from './labelbox-queue.js'

/**
 * May be called twice for the same event, so it has to be idempotent. If it throws, the event is retried.
 * @type {import('./labelbox-queue.js').OnNewest}
 */
async function onNewest(event, body) {
  console.log(`${event.id} ${event.attributes.event ?? '-'} ${event.version}: ${body.length} bytes`)
}

export const { handler } = new Consumer(onNewest, process.env.TABLE ?? '')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { 'until-empty': { type: 'boolean' } } })
  const [queueUrl, table] = positionals
  const allDone = await new Consumer(onNewest, table).poll(queueUrl, { untilEmpty: values['until-empty'] })
  process.exitCode = allDone ? 0 : 1
}
