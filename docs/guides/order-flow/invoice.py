"""Writes the invoice that goes into the parcel, slowly. PaymentTaken -> InvoiceIssued."""
import time

from flow import Service

SECONDS = 2
service = Service('invoice', ['payments'])


def print_pages():
    """Yours. This printer is an old one."""
    time.sleep(SECONDS)


@service.on('PaymentTaken')
def issue(received):
    print_pages()
    received.then('invoices', 'InvoiceIssued', 'invoice', pages=2)


service.run()
