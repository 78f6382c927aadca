#!/usr/bin/env python3
"""The bad network itself: acta-fault-proxy does to a connection what it was told, and no more."""

import socket
import unittest

from faults import FaultProxy, until


class Proxy(unittest.TestCase):
    def setUp(self):
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)
        self.proxy = FaultProxy(listener.getsockname()[1])
        self.addCleanup(self.proxy.close)
        self.client = socket.create_connection(('127.0.0.1', self.proxy.port))
        self.server = listener.accept()[0]
        for side in (self.client, self.server):
            self.addCleanup(side.close)
        self.comes_through(b'before')

    def comes_through(self, text):
        """Both ways."""
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            sender.sendall(text)
            self.receives(receiver, text)

    def receives(self, side, text):
        side.settimeout(5)
        received = b''
        while len(received) < len(text):
            more = side.recv(len(text) - len(received))
            self.assertTrue(more, 'it was closed')
            received += more
        self.assertEqual(received, text)

    def is_silent(self, side):
        """Nothing comes, not even an end."""
        side.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            side.recv(1)

    def test_half_open_stays_open_when_both_sides_have_sent(self):
        self.proxy.say('half-open')
        for _ in range(2):
            for side in (self.client, self.server):
                side.sendall(b'held')
            for side in (self.client, self.server):
                self.is_silent(side)
        self.assertEqual(self.proxy.say('count'), '1 1')
        self.proxy.say('pass')
        for side in (self.client, self.server):
            self.receives(side, b'heldheld')
        self.comes_through(b'after')

    def test_half_open_tells_nobody_that_the_other_side_is_gone(self):
        self.proxy.say('half-open')
        self.server.close()
        self.client.sendall(b'into nothing')
        self.is_silent(self.client)
        self.proxy.say('pass')
        self.client.settimeout(5)
        with self.assertRaises(ConnectionError):
            while self.client.recv(1):
                pass
            raise ConnectionError  # An end will do as well.

    def test_one_direction_is_held_and_the_other_is_not(self):
        for held, sender, receiver in (('up', self.client, self.server),
                                       ('down', self.server, self.client)):
            self.proxy.say(f'drop-direction {held}')
            sender.sendall(b'held')
            receiver.sendall(b'free')
            self.receives(sender, b'free')
            self.is_silent(receiver)
            self.proxy.say('pass')
            self.receives(receiver, b'held')

    def test_cut_resets_both_sides_and_forgets_the_link(self):
        self.proxy.say('half-open')
        self.proxy.say('cut')
        for side in (self.client, self.server):
            with self.assertRaises(ConnectionResetError):
                side.recv(1)
        until(lambda: self.proxy.say('count') == '0 1', 'the link is closed')

    def test_tear_lets_so_many_bytes_through(self):
        self.proxy.say('tear 3')
        self.client.sendall(b'torn')
        self.receives(self.server, b'tor')
        with self.assertRaises(ConnectionResetError):
            self.server.recv(1)


if __name__ == '__main__':
    unittest.main()
