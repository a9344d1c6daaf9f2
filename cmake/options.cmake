# Standard, warnings and sanitizers of every target, and the helpers that declare targets.

add_library(limber_options INTERFACE)
target_compile_features(limber_options INTERFACE c_std_17)
target_compile_definitions(limber_options INTERFACE _POSIX_C_SOURCE=200809L
                           LIMBER_VERSION="${PROJECT_VERSION}")
target_include_directories(limber_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(limber_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef
    -Wvla -Wswitch-enum -Wnull-dereference -Wimplicit-fallthrough
    -fno-fast-math -ffp-contract=off)
if(LIMBER_WERROR)
    target_compile_options(limber_options INTERFACE -Werror)
endif()
if(LIMBER_SANITIZE)
    target_compile_options(limber_options INTERFACE -fsanitize=${LIMBER_SANITIZE}
                           -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(limber_options INTERFACE -fsanitize=${LIMBER_SANITIZE})
endif()
set(CMAKE_C_EXTENSIONS OFF)

# limber_library(FOLDER SOURCES ... LINKS ...): static library limber_FOLDER.
function(limber_library folder)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    add_library(limber_${folder} STATIC ${ARG_SOURCES})
    target_link_libraries(limber_${folder} PUBLIC limber_options ${ARG_LINKS})
endfunction()

# limber_test(NAME SOURCES ... LINKS ... LABELS ...): one Check runner registered with ctest.
function(limber_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;LABELS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE limber_options ${ARG_LINKS} PkgConfig::CHECK)
    # START_TEST of Check declares functions without prototypes of their own.
    target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
    target_compile_definitions(${name} PRIVATE
        TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}" TEST_BINARY_DIR="${PROJECT_BINARY_DIR}")
    add_test(NAME ${name} COMMAND ${name})
    # Check's own limit of 4 s a case is for quiet machines.
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300
        ENVIRONMENT CK_DEFAULT_TIMEOUT=120)
endfunction()
