# Compiler, linker and hardening flags; one place for all rooms.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

find_program(ACTA_CCACHE ccache)
if(ACTA_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ACTA_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ACTA_CCACHE})
endif()

set(ACTA_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them")

add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety)
endif()
# Paths in binaries and in ccache keys are the same in every checkout.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
add_compile_options(-fstack-protector-strong -fstack-clash-protection)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(ACTA_SANITIZE)
  add_compile_options(-fsanitize=${ACTA_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${ACTA_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 takes what the sanitizers add for uses of what is not set.
    add_compile_options(-Wno-maybe-uninitialized)
    if(ACTA_SANITIZE MATCHES "thread")
      # Asio has a fence, which the sanitizer does not understand; GCC says so as a warning.
      add_compile_options(-Wno-tsan)
      # By this macro headers of Protocol Buffers give every map two fields more, which the packaged
      # library knows nothing of. The standard library is told by the macro it makes of it, and what
      # is ours asks for ACTA_THREAD_SANITIZER.
      add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1 -DACTA_THREAD_SANITIZER=1)
    endif()
  endif()
else()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS)
endif()
add_link_options(-Wl,-z,relro,-z,now)
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
find_program(ACTA_MOLD mold)
if(ACTA_MOLD)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
  else()
    add_link_options(-fuse-ld=${ACTA_MOLD})
  endif()
endif()
