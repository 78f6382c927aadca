"""Asks the bank, then takes the money. StockReserved -> PaymentAuthorized -> PaymentTaken. Who pays
gets points; nobody has written the service yet that would count them."""
from flow import Service

LARGE_EUROS = 100
service = Service('payment', ['reservations', 'authorizations'])


def ask_bank(euros, attempt):
    """Yours. This one thinks about large sums for so long that it has to be asked again."""
    if euros > LARGE_EUROS and attempt == 1:
        raise TimeoutError('the bank did not answer')


@service.on('StockReserved')
def authorize(received):
    ask_bank(received.order['euros'], received.attempt)
    received.then('authorizations', 'PaymentAuthorized', 'authorization')


@service.on('PaymentAuthorized')
def take(received):
    received.then('payments', 'PaymentTaken', 'payment')
    received.then('points', 'LoyaltyPointsGranted', 'points',
                  points=received.order['euros'] // 10)


service.run()
