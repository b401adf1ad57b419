# GCC for Arm (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi).
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m55)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CPU_FLAGS -mcpu=cortex-m55 -mthumb -mfloat-abi=hard)
set(LINK_FLAGS -nostartfiles --specs=nano.specs LINKER:--gc-sections LINKER:--fatal-warnings)
