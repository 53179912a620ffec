// The same job as one would usually write it in JavaScript, with the clients of the SDK's version 3.
//
// Lambda's own runtime has a native part that has to be compiled, so this has a loop in its place, which does less.

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { createHmac, timingSafeEqual } from "node:crypto";
import { Agent, request } from "node:http";

const secretsManager = new SecretsManagerClient();
// At AWS, the queue's URL is the endpoint.
const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });

async function receive(secret, { headers, body }) {
  const expected = Buffer.from(`sha1=${createHmac("sha1", secret).update(body).digest("hex")}`);
  const claimed = Buffer.from(headers["x-hub-signature"] ?? "");
  if (claimed.length !== expected.length || !timingSafeEqual(claimed, expected)) {
    return { statusCode: 401, body: "signature rejected" };
  }
  const { id } = JSON.parse(body);
  const attribute = (value) => ({ DataType: "String", StringValue: value });
  const sent = await sqs.send(
    new SendMessageCommand({
      QueueUrl: process.env.LABEL_QUEUE_URL,
      MessageBody: body,
      MessageAttributes: { event: attribute(headers["x-labelbox-event"]), entity_id: attribute(id) },
      MessageGroupId: id,
      MessageDeduplicationId: headers["x-labelbox-id"],
    }),
  );
  console.log(JSON.stringify({ level: "INFO", message: "label queued", id, message_id: sent.MessageId }));
  return { statusCode: 200, body: "ok" };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body = "") {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
  const headers = { "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, headers, path: `/2018-06-01/runtime/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId: process.env.SECRET_ARN }));
for (;;) {
  const event = await call("GET", "invocation/next");
  const invocation = `invocation/${event.headers["lambda-runtime-aws-request-id"]}`;
  try {
    await call("POST", `${invocation}/response`, JSON.stringify(await receive(SecretString, JSON.parse(event.body))));
  } catch (error) {
    await call("POST", `${invocation}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
