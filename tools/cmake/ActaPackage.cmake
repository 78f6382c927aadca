# What is installed, and the Debian packages of it (`tools/dev package`): the component broker is
# acta, the component client, of which client/cpp/install.cmake has most, acta-client-dev.
include(GNUInstallDirs)

install(TARGETS actad acta acta-inspect RUNTIME DESTINATION bin COMPONENT broker)
install(FILES deploy/actad.toml DESTINATION /etc/acta COMPONENT broker)
install(FILES deploy/actad.service DESTINATION lib/systemd/system COMPONENT broker)
install(FILES README.md CHANGELOG.md LICENSE SECURITY.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT broker)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT broker)
install(DIRECTORY proto/acta DESTINATION share/acta/proto COMPONENT broker
  FILES_MATCHING PATTERN "*.proto" PATTERN storage EXCLUDE)
install(FILES deploy/prometheus/prometheus.yml deploy/prometheus/alerts.yml
  DESTINATION share/acta/prometheus COMPONENT broker)
install(FILES deploy/grafana/acta-overview.json deploy/grafana/acta-groups.json
  DESTINATION share/acta/grafana COMPONENT broker)

# What is made for it: what the pages link to, each where their links look for it; pages of the
# manual.
set(made ${CMAKE_BINARY_DIR}/installed)
install(CODE "
  file(REMOVE_RECURSE ${made})
  file(MAKE_DIRECTORY ${made})
  execute_process(COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tools/docs/stage.py ${made}/doc
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tools/docs/man_pages.py
    ${CMAKE_BINARY_DIR}/bin ${made}/man COMMAND_ERROR_IS_FATAL ANY)" COMPONENT broker)
install(DIRECTORY ${made}/doc/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT broker)
install(DIRECTORY ${made}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT broker)

# Completion of each shell, where it looks for it.
install(CODE "
  foreach(of bash:bash-completion/completions/acta zsh:zsh/vendor-completions/_acta
          fish:fish/vendor_completions.d/acta.fish)
    string(REPLACE \":\" \";\" of \${of})
    list(GET of 0 shell)
    list(GET of 1 place)
    set(place \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/\${place})
    cmake_path(GET place PARENT_PATH folder)
    file(MAKE_DIRECTORY \${folder})
    execute_process(COMMAND ${CMAKE_BINARY_DIR}/bin/acta completion \${shell}
      OUTPUT_FILE \${place} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()" COMPONENT broker)

# The page of the client with what it links to.
set(client_docs ${CMAKE_INSTALL_DATAROOTDIR}/doc/acta-client-dev)
install(FILES client/cpp/README.md client/cpp/symbols.txt
  DESTINATION ${client_docs} COMPONENT client)
install(DIRECTORY client/cpp/examples DESTINATION ${client_docs} COMPONENT client)

# What Debian wants of each package: its licence and its changelog.
function(acta_papers component docs)
  install(FILES deploy/debian/copyright DESTINATION ${docs} COMPONENT ${component})
  install(CODE "execute_process(COMMAND gzip -9nc ${CMAKE_SOURCE_DIR}/deploy/debian/changelog
    OUTPUT_FILE \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${docs}/changelog.gz
    COMMAND_ERROR_IS_FATAL ANY)" COMPONENT ${component})
endfunction()
acta_papers(broker ${CMAKE_INSTALL_DOCDIR})
acta_papers(client ${client_docs})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME acta)
set(CPACK_PACKAGE_CONTACT "the authors of Acta <acta@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL broker client)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# A program runs with each later library of the same SONAME.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

# The first line of a description is its summary. CPACK_PACKAGE_DESCRIPTION_SUMMARY would be that of
# both packages.
set(CPACK_DEBIAN_BROKER_DESCRIPTION "event-streaming broker, its command line and tools
Services publish events, and any number of consumer
groups read them, each at its own pace, now or next week. Nothing that was
acknowledged is lost when a process is killed. One daemon, one folder, gRPC for
every language. Guides and reference are in /usr/share/doc/acta/docs.")
set(CPACK_DEBIAN_BROKER_PACKAGE_NAME acta)
set(CPACK_DEBIAN_BROKER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_BROKER_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_BROKER_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/debian/conffiles ${CMAKE_SOURCE_DIR}/deploy/debian/postinst
  ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_CLIENT_DESCRIPTION "C++ client of the event-streaming broker Acta
Publish, subscribe as a member of a group, work off queues, manage a broker:
one shared library, its headers, which are the manual, and what find_package()
of CMake and pkg-config read. Programs need C++17. Examples are in
/usr/share/doc/acta-client-dev.")
set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME acta-client-dev)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SOURCE acta)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION libdevel)
# What ActaConfig.cmake and acta-client.pc look for; what the library needs is found.
set(CPACK_DEBIAN_CLIENT_PACKAGE_DEPENDS "libabsl-dev, libc6-dev, libprotobuf-dev")
set(CPACK_DEBIAN_CLIENT_PACKAGE_SUGGESTS acta)
include(CPack)
