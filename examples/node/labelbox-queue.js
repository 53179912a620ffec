/**
 * Consumes a queue of the relay without losing events, and lets the newest event of each entity win.
 *
 * Use it unchanged, as in `consumer.js`. It needs three clients of the AWS SDK v3, which Lambda's runtime includes.
 * `docs/consuming.md` explains the rules.
 *
 * @module labelbox-queue
 */

import { createHash } from 'node:crypto'
import { DeleteItemCommand, DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'

/**
 * A message in the form of a Lambda event.
 * @typedef {object} Record
 * @property {string} messageId
 * @property {string} receiptHandle
 * @property {string} body
 * @property {{[name: string]: string | undefined}} attributes
 * @property {{[name: string]: {stringValue?: string}}} messageAttributes
 */

/**
 * An event as the attributes of its message describe it.
 * @typedef {object} Event
 * @property {string} id Key in the table: the entity, or the event itself if it has no entity or no time.
 * @property {string} version Of two events with the same id, the one with the greater version wins, compared as strings.
 * @property {{[name: string]: string}} attributes
 */

/**
 * Processes an event. It may be called twice for the same event. If it throws, the message is received again.
 * @callback OnNewest
 * @param {Event} event
 * @param {Buffer} body
 * @returns {void | Promise<void>}
 */

/**
 * @param {Record} record
 * @returns {Event}
 */
export function readEvent(record) {
  /** @type {{[name: string]: string}} */
  const attributes = {}
  for (const [name, { stringValue }] of Object.entries(record.messageAttributes)) {
    if (stringValue !== undefined) attributes[name] = stringValue
  }
  const { entity, entity_id, occurred_at = '', received_at = '', dedup_id } = attributes
  if (dedup_id === undefined) throw new Error('the message has no dedup_id, so it is not from the relay')
  const id = entity && entity_id && occurred_at ? `${entity}#${entity_id}` : `event#${dedup_id}`
  return { id, version: `${occurred_at} ${received_at} ${dedup_id}`, attributes }
}

/**
 * Returns the body that Labelbox signed: the message body, or the object that it points to.
 * @param {Record} record
 * @param {S3Client} s3
 */
export async function fetchBody(record, s3) {
  const size = record.messageAttributes.ExtendedPayloadSize?.stringValue
  if (size === undefined) return Buffer.from(record.body)
  const [, { s3BucketName, s3Key }] = JSON.parse(record.body)
  const object = await s3.send(new GetObjectCommand({ Bucket: s3BucketName, Key: s3Key }))
  const body = Buffer.from((await object.Body?.transformToByteArray()) ?? [])
  if (body.length !== Number(size)) throw new Error(`the payload has ${body.length} bytes, not ${size}`)
  return body
}

/**
 * Processes a batch in order. Yields each message and whether it succeeded.
 *
 * After a failure, later messages of the same FIFO group fail too, so that they do not overtake the failed one.
 * @param {Record[]} records
 * @param {(record: Record) => Promise<void>} process
 */
export async function* processBatch(records, process) {
  const failedGroups = new Set()
  for (const record of records) {
    const group = record.attributes.MessageGroupId
    let succeeded = false
    try {
      if (failedGroups.has(group)) throw new Error('an earlier message of the same group failed')
      await process(record)
      succeeded = true
    } catch (error) {
      console.error(`message ${record.messageId} will be received again:`, error)
      if (group !== undefined) failedGroups.add(group)
    }
    yield { record, succeeded }
  }
}

/** Calls `onNewest` for each event that is newer than the one in the table, then stores the event in the table. */
export class Consumer {
  #onNewest
  #table
  #dynamodb
  #s3
  #sqs

  /**
   * @param {OnNewest} onNewest
   * @param {string} table A DynamoDB table whose partition key is the string `id`.
   * @param {{dynamodb?: DynamoDBClient, s3?: S3Client, sqs?: SQSClient}} [clients]
   */
  constructor(onNewest, table, { dynamodb = new DynamoDBClient(), s3 = new S3Client(), sqs = new SQSClient() } = {}) {
    this.#onNewest = onNewest
    this.#table = table
    this.#dynamodb = dynamodb
    this.#s3 = s3
    this.#sqs = sqs
  }

  /**
   * Handles a batch in a Lambda function. The event source mapping must have `ReportBatchItemFailures`.
   * @param {{Records: Record[]}} event
   */
  handler = async (event) => {
    const batchItemFailures = []
    for await (const { record, succeeded } of processBatch(event.Records, this.process)) {
      if (!succeeded) batchItemFailures.push({ itemIdentifier: record.messageId })
    }
    return { batchItemFailures }
  }

  /**
   * Receives messages forever, or until none arrive. Returns whether all were processed and deleted.
   * @param {string} queueUrl
   */
  async poll(queueUrl, { untilEmpty = false } = {}) {
    const { Attributes } = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['VisibilityTimeout'] }),
    )
    const visibilityTimeout = Number(Attributes?.VisibilityTimeout)
    const receive = new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: untilEmpty ? 2 : 20,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    })
    for (let allDone = true; ; ) {
      const { Messages = [] } = await this.#sqs.send(receive)
      if (untilEmpty && Messages.length === 0) return allDone
      const records = Messages.map(toRecord)
      const remaining = new Map(records.map((record) => [record.messageId, record.receiptHandle]))
      // A third of the timeout, so that one call may fail. The timeout may be 0.
      const interval = (Math.max(visibilityTimeout, 1) * 1000) / 3
      const heartbeat = setInterval(() => this.#extend(queueUrl, remaining, visibilityTimeout), interval)
      try {
        for await (const { record, succeeded } of processBatch(records, this.process)) {
          remaining.delete(record.messageId)
          if (!(succeeded && (await this.#delete(queueUrl, record)))) allDone = false
        }
      } finally {
        clearInterval(heartbeat)
      }
    }
  }

  /**
   * Processes one message. If this throws, the table is unchanged and the message must be received again.
   * @param {Record} record
   * @returns {Promise<void>}
   */
  process = async (record) => {
    const event = readEvent(record)
    const get = new GetItemCommand({ TableName: this.#table, Key: { id: { S: event.id } }, ConsistentRead: true })
    const { Item: item } = await this.#dynamodb.send(get)
    const version = item?.version?.S
    if (item && version !== undefined) {
      if (version >= event.version) return
      if (item.dedup_id?.S === event.attributes.dedup_id) {
        // A duplicate is not processed again, but its later version decides ties with other events.
        const { bytes, sha256 } = item
        const stored = await this.#store(event, { bytes, sha256 }, 'version = :version', version)
        if (!stored) await this.process(record) // another consumer has updated the item
        return
      }
    }
    const body = await fetchBody(record, this.#s3)
    await this.#onNewest(event, body)
    const digest = { bytes: { N: `${body.length}` }, sha256: { S: createHash('sha256').update(body).digest('hex') } }
    await this.#store(event, digest, 'attribute_not_exists(version) OR version < :version', event.version)
  }

  /**
   * Forgets the events that were received in this time, so that a replay of them is processed again.
   *
   * Both are times as in `received_at`. Returns how many items were deleted. An item that changes meanwhile is kept.
   * @param {string} since
   * @param {string} until
   */
  async forget(since, until) {
    const scan = {
      TableName: this.#table,
      FilterExpression: 'received_at >= :since AND received_at < :until',
      ExpressionAttributeValues: { ':since': { S: since }, ':until': { S: until } },
      ConsistentRead: true,
    }
    for (let count = 0, next; ; ) {
      const { Items = [], LastEvaluatedKey } = await this.#dynamodb.send(new ScanCommand({ ...scan, ExclusiveStartKey: next }))
      for (const { id, version } of Items) {
        const condition = { ConditionExpression: 'version = :version', ExpressionAttributeValues: { ':version': version } }
        if (await this.#write(new DeleteItemCommand({ TableName: this.#table, Key: { id }, ...condition }))) count += 1
      }
      if (LastEvaluatedKey === undefined) return count
      next = LastEvaluatedKey
    }
  }

  /**
   * Stores the event. Returns whether the condition held. The body is omitted, because an item cannot exceed 400 KB.
   * @param {Event} event
   * @param {{[name: string]: import('@aws-sdk/client-dynamodb').AttributeValue}} digest
   * @param {string} condition
   * @param {string} version
   */
  async #store(event, digest, condition, version) {
    const strings = Object.entries({ ...event.attributes, id: event.id, version: event.version })
    return this.#write(new PutItemCommand({
      TableName: this.#table,
      Item: { ...Object.fromEntries(strings.map(([name, value]) => [name, { S: value }])), ...digest },
      ConditionExpression: condition,
      ExpressionAttributeValues: { ':version': { S: version } },
    }))
  }

  /**
   * Writes an item. Returns whether the condition held.
   * @param {PutItemCommand | DeleteItemCommand} command
   */
  async #write(command) {
    try {
      await this.#dynamodb.send(command)
    } catch (error) {
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false
      throw error
    }
    return true
  }

  /**
   * Extends the visibility timeout of a batch's remaining messages, so that no other consumer receives them.
   * @param {string} queueUrl
   * @param {Map<string, string>} remaining
   * @param {number} visibilityTimeout
   */
  async #extend(queueUrl, remaining, visibilityTimeout) {
    const Entries = Array.from(remaining, ([Id, ReceiptHandle]) => ({ Id, ReceiptHandle, VisibilityTimeout: visibilityTimeout }))
    if (Entries.length === 0) return
    try {
      const extend = new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries })
      const { Failed = [] } = await this.#sqs.send(extend)
      for (const { Id = '', Code } of Failed) {
        if (remaining.has(Id)) console.error(`the visibility timeout of message ${Id} was not extended: ${Code}`)
      }
    } catch (error) {
      console.error('the visibility timeout could not be extended:', error)
    }
  }

  /**
   * Returns whether SQS deleted the message. If it did not, for instance because the receipt handle has expired, the
   * message is received again.
   * @param {string} queueUrl
   * @param {Record} record
   */
  async #delete(queueUrl, record) {
    try {
      await this.#sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: record.receiptHandle }))
    } catch (error) {
      console.error(`message ${record.messageId} was processed but not deleted, and will be received again:`, error)
      return false
    }
    return true
  }
}

/**
 * Converts a message from the form of `ReceiveMessage` to that of a Lambda event.
 * @param {import('@aws-sdk/client-sqs').Message} message
 * @returns {Record}
 */
function toRecord({ MessageId = '', ReceiptHandle = '', Body = '', Attributes = {}, MessageAttributes = {} }) {
  const attributes = Object.entries(MessageAttributes)
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes: Object.fromEntries(attributes.map(([name, { StringValue }]) => [name, { stringValue: StringValue }])),
  }
}
