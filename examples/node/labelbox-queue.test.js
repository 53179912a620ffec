/** Tests of the module with fake AWS clients. Run them with `npm test`. */

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

/** A fake table that knows the conditions of the module, and scans one item a page. */
class DynamoDb {
  items = new Map()
  beforePut = async () => {}

  async send({ constructor: { name }, input }) {
    if (name === 'GetItemCommand') return { Item: this.items.get(input.Key.id.S) }
    if (name === 'ScanCommand') return this.#scan(input)
    if (name === 'DeleteItemCommand') return this.#delete(input)
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

  async #scan({ FilterExpression, ExpressionAttributeValues, ExclusiveStartKey = 0 }) {
    assert.equal(FilterExpression, 'received_at >= :since AND received_at < :until')
    const { ':since': since, ':until': until } = ExpressionAttributeValues
    this.pages ??= [...this.items.values()].filter(({ received_at: { S } }) => since.S <= S && S < until.S)
    await this.beforePut()
    const next = ExclusiveStartKey + 1
    return { Items: this.pages.slice(ExclusiveStartKey, next), LastEvaluatedKey: next < this.pages.length ? next : undefined }
  }

  async #delete({ Key, ConditionExpression, ExpressionAttributeValues }) {
    assert.equal(ConditionExpression, 'version = :version')
    const stored = this.items.get(Key.id.S).version.S
    if (stored !== ExpressionAttributeValues[':version'].S) throw new ServiceError('ConditionalCheckFailedException')
    this.items.delete(Key.id.S)
    return {}
  }
}

const s3 = {
  async send({ input }) {
    assert.deepEqual(input, { Bucket: 'b', Key: 'k' })
    return { Body: { transformToByteArray: async () => Uint8Array.from([0xff, 1, 2]) } }
  },
}

/** A fake queue that returns one batch and records calls. */
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

/** Captures `console.error`. Returns a function that returns the output so far. */
function captureErrors(t) {
  const log = t.mock.method(console, 'error', () => {})
  return () => log.mock.calls.map((call) => call.arguments.join(' ')).join('\n')
}

for (const { name, stored = {}, deliveries, forget, processed, newest } of CASES) {
  test(`newest wins: ${name}`, async () => {
    const [dynamodb, calls] = [new DynamoDb(), []]
    dynamodb.items = new Map(Object.entries(stored))
    const subject = consumer((event) => void calls.push(event.attributes), { dynamodb })
    for (const [n, delivery] of deliveries.entries()) {
      if (n === forget?.before) assert.equal(await subject.forget(forget.since, forget.until), forget.forgotten)
      await subject.process(record(delivery))
    }
    assert.deepEqual(calls, processed.map((n) => deliveries[n]))
    assert.deepEqual([...dynamodb.items.keys()].sort(), Object.keys(newest).sort())
    for (const [id, n] of Object.entries(newest)) {
      for (const [attribute, value] of Object.entries(deliveries[n])) {
        assert.equal(dynamodb.items.get(id)[attribute].S, value)
      }
    }
  })
}

test('processes a duplicate if another event was stored in the meantime', async () => {
  const [first, duplicate, between] = [['10', 'a'], ['12', 'a'], ['11', 'b']].map(([received_at, dedup_id]) => {
    return { entity: 'label', entity_id: '1', occurred_at: '5', received_at, dedup_id }
  })
  const [dynamodb, calls] = [new DynamoDb(), []]
  const { process } = consumer((event) => void calls.push(event.attributes), { dynamodb })
  await process(record(first))
  dynamodb.beforePut = async () => {
    dynamodb.beforePut = async () => {}
    await process(record(between))
  }
  await process(record(duplicate))
  assert.deepEqual(calls, [first, between, duplicate])
  assert.equal(dynamodb.items.get('label#1').received_at.S, '12')
})

test('does not forget what changes meanwhile', async () => {
  const [older, newer] = ['5', '6'].map((at) => ({ entity: 'label', entity_id: '1', occurred_at: at, received_at: at, dedup_id: at }))
  const dynamodb = new DynamoDb()
  const subject = consumer(() => {}, { dynamodb })
  await subject.process(record(older))
  dynamodb.beforePut = async () => {
    dynamodb.beforePut = async () => {}
    await subject.process(record(newer))
  }
  assert.equal(await subject.forget('5', '6'), 0)
  assert.equal(dynamodb.items.get('label#1').dedup_id.S, '6')
})

test('does not store an event that failed', async (t) => {
  const [dynamodb, log] = [new DynamoDb(), captureErrors(t)]
  const { handler } = consumer(() => Promise.reject(new Error('failed')), { dynamodb })
  const response = await handler({ Records: [record({ dedup_id: 'a' }), record({}, { messageId: 'other-sender' })] })
  assert.deepEqual(response, { batchItemFailures: [{ itemIdentifier: '1' }, { itemIdentifier: 'other-sender' }] })
  assert.equal(dynamodb.items.size, 0)
  assert.match(log(), /message other-sender .* not from the relay/)
})

test('a failure fails the rest of its group only', async (t) => {
  captureErrors(t)
  const groups = { 1: 'x', 2: 'x', 3: 'y', 4: 'x', 5: undefined, 6: undefined }
  const batch = Object.entries(groups).map(([messageId, group]) => record({}, { messageId, group }))
  const results = {}
  const process = async ({ messageId }) => {
    if (messageId === '2' || messageId === '5') throw new Error('failed')
  }
  for await (const { record, succeeded } of processBatch(batch, process)) results[record.messageId] = succeeded
  assert.deepEqual(results, { 1: true, 2: false, 3: true, 4: false, 5: false, 6: true })
})

test('only ExtendedPayloadSize makes a body a pointer', async () => {
  assert.deepEqual(await fetchBody(record({}, { body: POINTER }), s3), Buffer.from(POINTER))
  assert.deepEqual(await fetchBody(record({}, { body: 'ü' }), s3), Buffer.from([0xc3, 0xbc]))
  const pointer = (size) => fetchBody(record({ ExtendedPayloadSize: size }, { body: POINTER }), s3)
  assert.deepEqual(await pointer('3'), Buffer.from([0xff, 1, 2]))
  await assert.rejects(pointer('4'), /the payload has 3 bytes, not 4/)
})

test('deletes each message as soon as it is processed', async (t) => {
  captureErrors(t)
  const sqs = new Sqs(message('1'), message('2', 'other'), message('3'))
  const onNewest = ({ attributes: { dedup_id } }) => {
    sqs.calls.push(`process ${dedup_id}`)
    if (dedup_id === '1') throw new Error('failed')
  }
  assert.equal(await consumer(onNewest, { sqs }).poll('url', { untilEmpty: true }), false)
  assert.deepEqual(sqs.calls, ['process 1', 'process 2', 'delete handle-2'])
})

for (const error of [
  new ServiceError('InvalidParameterValue', 'The receipt handle has expired.'),
  new ServiceError('ReceiptHandleIsInvalid'),
  new ServiceError('TimeoutError'),
]) {
  test(`continues after a failed delete: ${error.name}`, async (t) => {
    const [sqs, calls, log] = [new Sqs(message('1'), message('2')), [], captureErrors(t)]
    sqs.deleteError = error
    const subject = consumer((event) => void calls.push(event.attributes.dedup_id), { sqs })
    assert.equal(await subject.poll('url', { untilEmpty: true }), false)
    assert.deepEqual(calls, ['1', '2'])
    assert.match(log(), /message 1 was processed but not deleted/)
  })
}

test('extends the visibility timeout of the current and the remaining messages', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const [sqs, log] = [new Sqs(message('1'), message('2'), message('3')), captureErrors(t)]
  sqs.extendErrors = [new ServiceError('TimeoutError')]
  const onNewest = async ({ attributes: { dedup_id } }) => {
    if (dedup_id !== '2') return
    for (const milliseconds of [19_999, 1, 20_000]) {
      t.mock.timers.tick(milliseconds)
      await new Promise(setImmediate) // lets pending calls finish
      sqs.calls.push(`${milliseconds} ms later`)
    }
  }
  assert.equal(await consumer(onNewest, { sqs }).poll('url', { untilEmpty: true }), true)
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
  assert.equal(sqs.calls.length, 7, 'the heartbeat stops with the batch')
  assert.match(log(), /the visibility timeout could not be extended: TimeoutError/)
  assert.match(log(), /the visibility timeout of message 3 was not extended: ReceiptHandleIsInvalid/)
})

test('waits between extensions if the visibility timeout is zero', async (t) => {
  const { mock } = t.mock.method(globalThis, 'setInterval')
  const sqs = new Sqs(message('1'))
  sqs.visibilityTimeout = 0
  assert.equal(await consumer(() => {}, { sqs }).poll('url', { untilEmpty: true }), true)
  assert.deepEqual(mock.calls.map((call) => call.arguments[1]), [1000 / 3])
})
