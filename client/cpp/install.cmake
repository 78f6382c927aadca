# What `cmake --install build/release --component client` installs: libacta_client.so, made of the
# objects of the room, with the messages of acta/v1 inside; the public headers; what find_package
# and pkg-config read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(ACTA_CLIENT_HEADERS admin channel claims delivery error export hooks publisher subscriber work_item
    worker)
# Rises with each change that a program that is built would notice.
set(ACTA_CLIENT_SOVERSION 0)
# What the public headers include, under their names in CMake.
set(ACTA_CLIENT_ABSL any_invocable status statusor strings time)

add_library(acta_client_shared SHARED $<TARGET_OBJECTS:acta_client>)
set(map ${CMAKE_CURRENT_SOURCE_DIR}/acta_client.map)
set_target_properties(acta_client_shared PROPERTIES
  LINKER_LANGUAGE CXX OUTPUT_NAME acta_client EXPORT_NAME client LINK_DEPENDS ${map}
  VERSION ${PROJECT_VERSION} SOVERSION ${ACTA_CLIENT_SOVERSION})
list(TRANSFORM ACTA_CLIENT_ABSL PREPEND absl:: OUTPUT_VARIABLE absl)
target_link_libraries(acta_client_shared
  PUBLIC protobuf::libprotobuf ${absl}
  PRIVATE acta::grpc acta::proto acta::proto_support acta::base absl::flat_hash_map absl::function_ref
          absl::str_format gRPC::grpc++ Threads::Threads)
target_link_options(acta_client_shared PRIVATE 
  -Wl,--version-script=${map} -Wl,--no-undefined -Wl,--as-needed)
target_include_directories(acta_client_shared INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(acta_client_shared INTERFACE cxx_std_17)

install(TARGETS acta_client_shared EXPORT ActaTargets COMPONENT client
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_COMPONENT client)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Acta)
install(EXPORT ActaTargets NAMESPACE Acta:: DESTINATION ${package} COMPONENT client)

# Under the names that users include: client/cpp/x.h as acta/client/x.h.
install(CODE "
  set(from ${CMAKE_CURRENT_SOURCE_DIR})
  set(to ${CMAKE_INSTALL_INCLUDEDIR}/acta/client)
  set(headers ${ACTA_CLIENT_HEADERS})" COMPONENT client)
install(SCRIPT install_headers.cmake COMPONENT client)
foreach(noun ${ACTA_PROTOS})
  install(FILES ${CMAKE_BINARY_DIR}/gen/acta/v1/${noun}.pb.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/acta/v1 COMPONENT client)
endforeach()

# While the major version is 0 each minor one may change what programs see.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ActaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
list(TRANSFORM ACTA_CLIENT_ABSL PREPEND absl_ OUTPUT_VARIABLE requires)
list(JOIN requires " " ACTA_CLIENT_REQUIRES)
file(RELATIVE_PATH ACTA_CLIENT_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(acta-client.pc.in ${CMAKE_CURRENT_BINARY_DIR}/acta-client.pc @ONLY)
install(FILES ActaConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/ActaConfigVersion.cmake
  DESTINATION ${package} COMPONENT client)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/acta-client.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT client)
