#pragma once

// What the shared library shows of itself; everything else in it is hidden. Classes with this mark
// and the messages of acta/v1 are its whole surface.
#define ACTA_CLIENT_EXPORT __attribute__((visibility("default")))
// Of what is inside such a class and is not for others.
#define ACTA_CLIENT_HIDDEN __attribute__((visibility("hidden")))
