import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mskIamMessage, presign, regionOf } from '../../src/kafka/aws-signature.ts'

/** The keys used in AWS's documentation. */
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}

test('aws signature: equals AWS’s published example of a presigned request', () => {
  // Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
  const signed = presign({
    host: 'examplebucket.s3.amazonaws.com',
    path: '/test.txt',
    query: {},
    region: 'us-east-1',
    service: 's3',
    credentials: CREDENTIALS,
    time: new Date('2013-05-24T00:00:00Z'),
    expiresSeconds: 86_400,
    payloadHash: 'UNSIGNED-PAYLOAD',
  })
  assert.equal(signed['X-Amz-Signature'], 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404')
})

const BROKER = 'b-1.cluster-1.abc.kafka.us-east-2.amazonaws.com'
const TIME = new Date('2021-03-01T17:30:00.250Z')

test('aws signature: the message for MSK has the fields of its wire format, signed as AWS’s SDK signs them', () => {
  // The signatures are those of @smithy/signature-v4 for the same request.
  assert.deepEqual(JSON.parse(mskIamMessage(BROKER, 'us-east-2', CREDENTIALS, 'me', TIME)), {
    version: '2020_10_22',
    host: BROKER,
    'user-agent': 'me',
    action: 'kafka-cluster:Connect',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': 'AKIAIOSFODNN7EXAMPLE/20210301/us-east-2/kafka-cluster/aws4_request',
    'x-amz-date': '20210301T173000Z',
    'x-amz-signedheaders': 'host',
    'x-amz-expires': '900',
    'x-amz-signature': '5a5dc13f25ed756bebc953389268337cf825fc2ca7372f49461523f2f535ae37',
  })
})

test('aws signature: the token of temporary credentials is signed and sent', () => {
  const credentials = { ...CREDENTIALS, sessionToken: 'FwoGZXIvYXdzEXAMPLE//token==' }
  const message = JSON.parse(mskIamMessage(BROKER, 'us-east-2', credentials, 'me', TIME)) as Record<string, string>
  assert.equal(message['x-amz-security-token'], credentials.sessionToken)
  assert.equal(message['x-amz-signature'], 'af43b9e80cee2bcfe9ea9ad11c239cb2c52e8d0590b5de14a85ac748a4ba5885')
})

test('aws signature: the region is in the names of provisioned and serverless brokers', () => {
  assert.equal(regionOf(BROKER), 'us-east-2')
  assert.equal(regionOf('boot-abc.c1.kafka-serverless.eu-west-1.amazonaws.com'), 'eu-west-1')
  assert.equal(regionOf('b-2.x.kafka.cn-north-1.amazonaws.com.cn'), 'cn-north-1')
  assert.equal(regionOf('kafka.example.com'), null)
})
