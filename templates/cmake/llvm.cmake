# LLVM: clang and lld, with newlib as C library (Debian: clang, lld, libnewlib-arm-none-eabi).
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m55)
set(LLVM_HEADERS /usr/include/newlib CACHE PATH "folder with newlib's headers")
set(LLVM_LIBRARIES /usr/lib/arm-none-eabi/newlib/thumb/v8.1-m.main+mve/hard CACHE PATH
    "folder with newlib's libc_nano.a for Cortex-M55, hard float")
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET thumbv8.1m.main-none-eabihf)
set(CMAKE_CXX_COMPILER clang++)
set(CMAKE_CXX_COMPILER_TARGET thumbv8.1m.main-none-eabihf)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CPU_FLAGS -mcpu=cortex-m55 -mthumb -mfloat-abi=hard -isystem ${LLVM_HEADERS})
set(LINK_FLAGS -fuse-ld=lld -nostdlib -L${LLVM_LIBRARIES} LINKER:--gc-sections LINKER:--fatal-warnings)
set(LINK_LIBRARIES c_nano)
