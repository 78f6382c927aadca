"""Puts aside what was ordered. OrderPlaced -> StockReserved."""
from flow import Service

service = Service('reservation', ['orders'])


@service.on('OrderPlaced')
def reserve(received):
    received.then('reservations', 'StockReserved', 'stock', shelf='B7')


service.run()
