"""A FastAPI application for recording, inside a wrapper that appends each finished exchange to $TRUTH."""
import hashlib
import json
import os

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    id: int
    name: str = ''


@app.post('/items', status_code=201)
async def create(item: Item):
    return item


@app.get('/stream')
async def stream():
    async def rows():
        for row in range(6):
            yield json.dumps({'row': row}) + '\n'
    return StreamingResponse(rows(), media_type='application/x-ndjson')


@app.get('/moved')
async def moved():
    return RedirectResponse('/echo?n=after-moved', 302)


@app.delete('/gone')
async def gone():
    return Response(status_code=204)


@app.api_route('/echo', methods=['GET', 'HEAD', 'POST', 'PUT', 'PATCH'])
async def echo(request: Request):
    received = await request.body()
    return {'url': str(request.url), 'received': hashlib.sha256(received).hexdigest()}


def body(data):
    return {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


async def application(scope, receive, send):
    if scope['type'] != 'http':
        return await app(scope, receive, send)
    received, sent, status, read = bytearray(), bytearray(), 0, False

    async def hear():
        nonlocal read
        message = await receive()
        read = not message.get('more_body')
        received.extend(message.get('body', b''))
        return message

    async def say(message):
        nonlocal status
        status = message.get('status', status)
        sent.extend(message.get('body', b''))
        await send(message)
        if message['type'] == 'http.response.body' and not message.get('more_body'):
            target = scope['raw_path'].decode() + ('?' + scope['query_string'].decode() if scope['query_string'] else '')
            whole = b'' if scope['method'] == 'HEAD' else bytes(sent)
            entry = {'method': scope['method'], 'target': target, 'status': status, 'responseBody': body(whole)}
            if read:
                entry['requestBody'] = body(bytes(received))
            with open(os.environ['TRUTH'], 'a') as truth:
                truth.write(json.dumps(entry) + '\n')

    await app(scope, hear, say)
