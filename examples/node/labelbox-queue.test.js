/** The module against fakes of AWS. Run it with `npm test`. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Consumer, fetchBody, processBatch } from './labelbox-queue.js'

const CASES = JSON.parse(readFileSync(new URL('../newest-wins.json', import.meta.url), 'utf8'))
const POINTER = JSON.stringify(['software.amazon.payloadoffloading.PayloadS3Pointer', { s3BucketName: 'b', s3Key: 'k' }])

class ServiceError extends Error {
  constructor(name, message) {
    super(message)
    this.name = name
  }
}

/** A table, with the two conditions that the module uses. */
class DynamoDb {
  items = new Map()
  beforePut = async () => {}

  async send({ constructor: { name }, input }) {
    if (name === 'GetItemCommand') return { Item: this.items.get(input.Key.id.S) }
    assert.equal(name, 'PutItemCommand')
    await this.beforePut()
    const stored = this.items.get(input.Item.id.S)?.version?.S
    const version = input.ExpressionAttributeValues[':version'].S
    const holds = {
      'attribute_not_exists(version) OR version < :version': stored === undefined || stored < version,
      'version = :version': stored === version,
    }[input.ConditionExpression]
    if (!holds) throw new ServiceError('ConditionalCheckFailedException')
    this.items.set(input.Item.id.S, input.Item)
    return {}
  }
}

const s3 = {
  async send({ input }) {
    assert.deepEqual(input, { Bucket: 'b', Key: 'k' })
    return { Body: { transformToByteArray: async () => Uint8Array.from([0xff, 1, 2]) } }
  },
}

/** A queue that gives out one batch, with a log of what was asked of it. */
class Sqs {
  calls = []
  deleteError = undefined
  extendErrors = []
  visibilityTimeout = 60

  constructor(...messages) {
    this.batches = [messages, []]
  }

  async send({ constructor: { name }, input }) {
    switch (name) {
      case 'GetQueueAttributesCommand':
        return { Attributes: Object.fromEntries(input.AttributeNames.map((name) => [name, `${this.visibilityTimeout}`])) }
      case 'ReceiveMessageCommand':
        return { Messages: this.batches.shift() }
      case 'DeleteMessageCommand':
        this.calls.push(`delete ${input.ReceiptHandle}`)
        if (this.deleteError) throw this.deleteError
        return {}
      case 'ChangeMessageVisibilityBatchCommand':
        assert(input.Entries.every((entry) => entry.VisibilityTimeout === 60))
        if (this.extendErrors.length > 0) throw this.extendErrors.pop()
        this.calls.push(`extend ${input.Entries.map((entry) => entry.ReceiptHandle)}`)
        return { Failed: input.Entries.slice(1).map(({ Id }) => ({ Id, Code: 'ReceiptHandleIsInvalid' })) }
    }
    assert.fail(name)
  }
}

function record(attributes, { messageId = '1', group, body = '{}' } = {}) {
  const values = Object.entries(attributes).map(([name, stringValue]) => [name, { stringValue }])
  return { messageId, body, attributes: { MessageGroupId: group }, messageAttributes: Object.fromEntries(values) }
}

function message(id, group = 'g') {
  return {
    MessageId: id,
    ReceiptHandle: `handle-${id}`,
    Body: '{}',
    Attributes: { MessageGroupId: group },
    MessageAttributes: { dedup_id: { DataType: 'String', StringValue: id } },
  }
}

function consumer(onNewest, clients) {
  return new Consumer(onNewest, 'newest', { dynamodb: new DynamoDb(), s3, ...clients })
}

/** What is logged from now on. */
function logged(t) {
  const log = t.mock.method(console, 'error', () => {})
  return () => log.mock.calls.map((call) => call.arguments.join(' ')).join('\n')
}

for (const { name, stored = {}, deliveries, work, newest } of CASES) {
  test(`newest wins: ${name}`, async () => {
    const [dynamodb, done] = [new DynamoDb(), []]
    dynamodb.items = new Map(Object.entries(stored))
    const { process } = consumer((event) => void done.push(event.attributes), { dynamodb })
    for (const delivery of deliveries) await process(record(delivery))
    assert.deepEqual(done, work.map((n) => deliveries[n]))
    assert.deepEqual([...dynamodb.items.keys()].sort(), Object.keys(newest).sort())
    for (const [id, n] of Object.entries(newest)) {
      for (const [attribute, value] of Object.entries(deliveries[n])) {
        assert.equal(dynamodb.items.get(id)[attribute].S, value)
      }
    }
  })
}

test('a repetition during which another event was stored is processed', async () => {
  const [first, repetition, between] = [['10', 'a'], ['12', 'a'], ['11', 'b']].map(([received_at, dedup_id]) => {
    return { entity: 'label', entity_id: '1', occurred_at: '5', received_at, dedup_id }
  })
  const [dynamodb, done] = [new DynamoDb(), []]
  const { process } = consumer((event) => void done.push(event.attributes), { dynamodb })
  await process(record(first))
  dynamodb.beforePut = async () => {
    dynamodb.beforePut = async () => {}
    await process(record(between))
  }
  await process(record(repetition))
  assert.deepEqual(done, [first, between, repetition])
  assert.equal(dynamodb.items.get('label#1').received_at.S, '12')
})

test('failed work is not stored', async (t) => {
  const [dynamodb, log] = [new DynamoDb(), logged(t)]
  const { handler } = consumer(() => Promise.reject(new Error('no')), { dynamodb })
  const answer = await handler({ Records: [record({ dedup_id: 'a' }), record({}, { messageId: 'foreign' })] })
  assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: '1' }, { itemIdentifier: 'foreign' }] })
  assert.equal(dynamodb.items.size, 0)
  assert.match(log(), /message foreign .* not from the relay/)
})

test('a failure stops its group only', async (t) => {
  logged(t)
  const groups = { 1: 'x', 2: 'x', 3: 'y', 4: 'x', 5: undefined, 6: undefined }
  const batch = Object.entries(groups).map(([messageId, group]) => record({}, { messageId, group }))
  const results = {}
  const process = async ({ messageId }) => {
    if (messageId === '2' || messageId === '5') throw new Error('no')
  }
  for await (const { record, succeeded } of processBatch(batch, process)) results[record.messageId] = succeeded
  assert.deepEqual(results, { 1: true, 2: false, 3: true, 4: false, 5: false, 6: true })
})

test('the attribute makes a pointer', async () => {
  assert.deepEqual(await fetchBody(record({}, { body: POINTER }), s3), Buffer.from(POINTER))
  assert.deepEqual(await fetchBody(record({}, { body: 'ü' }), s3), Buffer.from([0xc3, 0xbc]))
  const pointer = (size) => fetchBody(record({ ExtendedPayloadSize: size }, { body: POINTER }), s3)
  assert.deepEqual(await pointer('3'), Buffer.from([0xff, 1, 2]))
  await assert.rejects(pointer('4'), /the payload has 3 bytes, not 4/)
})

test('each message is deleted when it is done and not before', async (t) => {
  logged(t)
  const sqs = new Sqs(message('1'), message('2', 'other'), message('3'))
  const work = ({ attributes: { dedup_id } }) => {
    sqs.calls.push(`work ${dedup_id}`)
    if (dedup_id === '1') throw new Error('no')
  }
  assert.equal(await consumer(work, { sqs }).poll('url', { untilEmpty: true }), false)
  assert.deepEqual(sqs.calls, ['work 1', 'work 2', 'delete handle-2'])
})

for (const error of [
  new ServiceError('InvalidParameterValue', 'The receipt handle has expired.'),
  new ServiceError('ReceiptHandleIsInvalid'),
  new ServiceError('TimeoutError'),
]) {
  test(`a message that cannot be deleted does not stop the others: ${error.name}`, async (t) => {
    const [sqs, done, log] = [new Sqs(message('1'), message('2')), [], logged(t)]
    sqs.deleteError = error
    const tested = consumer((event) => void done.push(event.attributes.dedup_id), { sqs })
    assert.equal(await tested.poll('url', { untilEmpty: true }), false)
    assert.deepEqual(done, ['1', '2'])
    assert.match(log(), /message 1 was processed, not deleted/)
  })
}

test('slow work extends the visibility timeout of it and of what waits', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const [sqs, log] = [new Sqs(message('1'), message('2'), message('3')), logged(t)]
  sqs.extendErrors = [new ServiceError('TimeoutError')]
  const work = async ({ attributes: { dedup_id } }) => {
    if (dedup_id !== '2') return
    for (const milliseconds of [19_999, 1, 20_000]) {
      t.mock.timers.tick(milliseconds)
      await new Promise(setImmediate) // lets the calls end
      sqs.calls.push(`${milliseconds} ms later`)
    }
  }
  assert.equal(await consumer(work, { sqs }).poll('url', { untilEmpty: true }), true)
  assert.deepEqual(sqs.calls, [
    'delete handle-1',
    '19999 ms later',
    '1 ms later', // the call failed
    'extend handle-2,handle-3',
    '20000 ms later',
    'delete handle-2',
    'delete handle-3',
  ])
  t.mock.timers.tick(60_000)
  assert.equal(sqs.calls.length, 7, 'it ends with the batch')
  assert.match(log(), /the visibility timeout could not be extended: TimeoutError/)
  assert.match(log(), /the visibility timeout of message 3 was not extended: ReceiptHandleIsInvalid/)
})

test('a visibility timeout of zero does not extend without a pause', async (t) => {
  const { mock } = t.mock.method(globalThis, 'setInterval')
  const sqs = new Sqs(message('1'))
  sqs.visibilityTimeout = 0
  assert.equal(await consumer(() => {}, { sqs }).poll('url', { untilEmpty: true }), true)
  assert.deepEqual(mock.calls.map((call) => call.arguments[1]), [1000 / 3])
})
