# find_package(Acta CONFIG): the target Acta::client. What is missing is named with the package of
# Debian that has it; gRPC is inside of the library's own needs, and no header asks for it.
macro(acta_needs name package)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    set(Acta_FOUND FALSE)
    set(Acta_NOT_FOUND_MESSAGE "Acta needs ${name}: install it (Debian: ${package}).")
    return()
  endif()
endmacro()

acta_needs(Threads libc6-dev)
acta_needs(Protobuf libprotobuf-dev)
acta_needs(absl libabsl-dev CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/ActaTargets.cmake)
