"""A FastAPI application that publishes its specification as /openapi.json, in the wrapper of asgi.py."""
from datetime import date
from uuid import UUID, uuid5, NAMESPACE_DNS

import asgi
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

app = FastAPI(title='Orders')
asgi.app = app
application = asgi.application


class Item(BaseModel):
    id: UUID
    product: str
    count: int
    note: str | None = None


class NewOrder(BaseModel):
    customer: UUID
    products: list[str]


class Order(BaseModel):
    id: int
    customer: UUID
    items: list[Item]
    total: float


class Report(BaseModel):
    day: date
    orders: int


def items_of(order_id: int) -> list[Item]:
    return [Item(id=uuid5(NAMESPACE_DNS, f'{order_id}-{n}'), product=f'p{n}', count=n + 1) for n in range(2)]


def order_of(order_id: int) -> Order:
    if order_id >= 9000:
        raise HTTPException(404, 'no such order')
    return Order(id=order_id, customer=uuid5(NAMESPACE_DNS, 'customer'), items=items_of(order_id), total=order_id / 4)


@app.get('/orders')
def list_orders(page: int = 1, limit: int = 3) -> list[Order]:
    return [order_of(1000 + page * limit + n) for n in range(limit)]


@app.post('/orders', status_code=201)
def create_order(order: NewOrder) -> Order:
    return order_of(1000 + len(order.products))


@app.get('/orders/{order_id}')
def get_order(order_id: int) -> Order:
    return order_of(order_id)


@app.delete('/orders/{order_id}', status_code=204)
def delete_order(order_id: int) -> Response:
    return Response(status_code=204)


@app.get('/orders/{order_id}/items/{item_id}')
def get_item(order_id: int, item_id: UUID) -> Item:
    return items_of(order_id)[0].model_copy(update={'id': item_id})


@app.put('/orders/{order_id}/items/{item_id}')
def replace_item(order_id: int, item_id: UUID, item: Item) -> Item:
    return item.model_copy(update={'id': item_id})


@app.get('/customers/{customer_id}/orders')
def orders_of_customer(customer_id: UUID) -> list[Order]:
    return [order_of(1001)]


@app.get('/reports/{day}')
def get_report(day: date) -> Report:
    return Report(day=day, orders=day.day)


@app.get('/health')
def health() -> dict[str, bool]:
    return {'ok': True}
