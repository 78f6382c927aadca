"""Tells the customer. ParcelShipped -> MailSent."""
from flow import Service

service = Service('mail', ['shipments'])


def send(customer, text):
    """Yours. It may be called twice about one parcel: docs/start/python/step.py claims it first."""


@service.on('ParcelShipped')
def tell(received):
    order = received.order
    send(order['customer'], f"Order {order['order']} comes by {order['carrier']}.")
    received.then('mails', 'MailSent', 'mail')


service.run()
