"""Publishes an order, as the shop does: shop.py ORDER CUSTOMER ZONE [EUROS]."""
import json
import sys

from acta.v1 import event_pb2
from flow import publish

number, customer, zone, euros = (*sys.argv[1:], '80')[:4]
order = {'order': int(number), 'customer': customer, 'zone': zone, 'euros': int(euros)}

# Nothing caused it: it begins a journey, which is called by its id.
publish('shop', 'orders', event_pb2.Event(
    id=f'order-{number}', type='OrderPlaced', source='/shop', key=number.encode(),
    process='order-to-door', content_type='application/json', data=json.dumps(order).encode(),
    affected=[event_pb2.Affected(kind='order', id=number),
              event_pb2.Affected(kind='customer', id=customer)]))
