# Arm Compiler 6 (armclang, armlink) with the scatter file.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m55)
set(CMAKE_C_COMPILER armclang)
set(CMAKE_C_COMPILER_TARGET arm-arm-none-eabi)
set(CMAKE_CXX_COMPILER armclang)
set(CMAKE_CXX_COMPILER_TARGET arm-arm-none-eabi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CPU_FLAGS -mcpu=cortex-m55 -mthumb -mfloat-abi=hard)
# The reset handler sets up memory itself, so the entry point is not armlink's __main.
set(LINK_FLAGS --entry=Reset_Handler --remove --map)
