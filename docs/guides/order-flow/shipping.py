"""Packs a parcel and hands it to a carrier. InvoiceIssued -> ParcelPacked -> ParcelShipped. Who
carries to which zone is in the file `carriers`, a line each: ZONE CARRIER."""
import pathlib

from flow import Never, Service

service = Service('shipping', ['invoices', 'parcels'])


def carrier_to(zone):
    lines = pathlib.Path('carriers').read_text().splitlines()
    carriers = dict(line.split() for line in lines)
    if zone not in carriers:
        raise Never('no-carrier', f"no carrier goes to zone '{zone}'")
    return carriers[zone]


@service.on('InvoiceIssued')
def pack(received):
    received.then('parcels', 'ParcelPacked', 'parcel', grams=900)


@service.on('ParcelPacked')
def ship(received):
    received.then('shipments', 'ParcelShipped', 'shipment',
                  carrier=carrier_to(received.order['zone']))


service.run()
