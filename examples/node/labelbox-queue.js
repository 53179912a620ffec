/**
 * Reads a queue of the relay so that no event is lost and the newest one of each entity wins.
 *
 * Import it as it is; it needs three clients of the AWS SDK v3, which Lambda has. `consumer.js` beside it shows how,
 * `docs/consuming.md` explains the rules.
 *
 * @module labelbox-queue
 */

import { createHash } from 'node:crypto'
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'

/**
 * A message as Lambda passes it to a function.
 * @typedef {object} Record
 * @property {string} messageId
 * @property {string} receiptHandle
 * @property {string} body
 * @property {{[name: string]: string | undefined}} attributes
 * @property {{[name: string]: {stringValue?: string}}} messageAttributes
 */

/**
 * What the attributes of a message say about its event.
 * @typedef {object} Event
 * @property {string} id The entity that it competes for; without an entity or a time, the event itself.
 * @property {string} version Of two events with the same id, the one with the greater version wins. Compare versions as text.
 * @property {{[name: string]: string}} attributes
 */

/**
 * Does the work for an event. It may be called twice for the same one. If it throws, the message is received again.
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
 * Returns the body that Labelbox signed: the message's own, or the object that the message points to.
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
 * Processes a batch in order. Yields each message with whether it succeeded.
 *
 * After a failure, the other messages of the same FIFO group fail too: processed now, they would overtake it.
 * @param {Record[]} records
 * @param {(record: Record) => Promise<void>} process
 */
export async function* processBatch(records, process) {
  const failedGroups = new Set()
  for (const record of records) {
    const group = record.attributes.MessageGroupId
    let succeeded = false
    try {
      if (failedGroups.has(group)) throw new Error('an earlier message of its group failed')
      await process(record)
      succeeded = true
    } catch (error) {
      console.error(`message ${record.messageId} will be received again:`, error)
      if (group !== undefined) failedGroups.add(group)
    }
    yield { record, succeeded }
  }
}

/** Calls `onNewest` for each event that is newer than the one in the table, then stores it there. */
export class Consumer {
  #onNewest
  #table
  #dynamodb
  #s3
  #sqs

  /**
   * @param {OnNewest} onNewest
   * @param {string} table A DynamoDB table with the text `id` as its key.
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
   * The handler of a Lambda function. Its event source mapping needs `ReportBatchItemFailures`.
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
   * Receives messages for ever, or until there are none. Returns whether each was processed and deleted.
   * @param {string} queueUrl
   */
  async poll(queueUrl, { untilEmpty = false } = {}) {
    const answer = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['VisibilityTimeout'] }),
    )
    const visibilityTimeout = Number(answer.Attributes?.VisibilityTimeout)
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
      // A third, so that one call may fail. The timeout may be 0.
      const pause = (Math.max(visibilityTimeout, 1) * 1000) / 3
      const heartbeat = setInterval(() => this.#extend(queueUrl, remaining, visibilityTimeout), pause)
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
   * Processes one message. If this throws, the table is as before and the message has to be received again.
   * @param {Record} record
   * @returns {Promise<void>}
   */
  process = async (record) => {
    const event = readEvent(record)
    const get = new GetItemCommand({ TableName: this.#table, Key: { id: { S: event.id } }, ConsistentRead: true })
    const { Item: known } = await this.#dynamodb.send(get)
    const version = known?.version?.S
    if (known && version !== undefined) {
      if (version >= event.version) return
      if (known.dedup_id?.S === event.attributes.dedup_id) {
        // Received again later: no work, but its version counts against other events of the same time.
        const { bytes, sha256 } = known
        const stored = await this.#store(event, { bytes, sha256 }, 'version = :version', version)
        if (!stored) await this.process(record) // another consumer has stored something since
        return
      }
    }
    const body = await fetchBody(record, this.#s3)
    await this.#onNewest(event, body)
    const facts = { bytes: { N: `${body.length}` }, sha256: { S: createHash('sha256').update(body).digest('hex') } }
    await this.#store(event, facts, 'attribute_not_exists(version) OR version < :version', event.version)
  }

  /**
   * Returns whether the condition held. The body is not stored: an item cannot exceed 400 KB.
   * @param {Event} event
   * @param {{[name: string]: import('@aws-sdk/client-dynamodb').AttributeValue}} facts
   * @param {string} condition
   * @param {string} version
   */
  async #store(event, facts, condition, version) {
    const texts = Object.entries({ ...event.attributes, id: event.id, version: event.version })
    const put = new PutItemCommand({
      TableName: this.#table,
      Item: { ...Object.fromEntries(texts.map(([name, value]) => [name, { S: value }])), ...facts },
      ConditionExpression: condition,
      ExpressionAttributeValues: { ':version': { S: version } },
    })
    try {
      await this.#dynamodb.send(put)
    } catch (error) {
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false
      throw error
    }
    return true
  }

  /**
   * Extends the visibility timeout of a batch's remaining messages, so that nobody else receives them.
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
   * Returns whether SQS deleted it. If not, as when its receipt handle has expired, it is received again.
   * @param {string} queueUrl
   * @param {Record} record
   */
  async #delete(queueUrl, record) {
    try {
      await this.#sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: record.receiptHandle }))
    } catch (error) {
      console.error(`message ${record.messageId} was processed, not deleted, and will be received again:`, error)
      return false
    }
    return true
  }
}

/**
 * Converts a message from the form of SQS to that of Lambda.
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
