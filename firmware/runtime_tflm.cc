// Runs a network in TensorFlow Lite Micro's interpreter, with the NPU and whatever operators stay on the CPU.
#include <new>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

#include "debug_text.h"
#include "ethosu_platform.h"
#include "message.h"
#include "network.h"
#include "network_operators.h"
#include "runtime.h"

// Libraries built for cortex_m_generic print through a callback; others do not have this function.
extern "C" __attribute__((weak)) void RegisterDebugLogCallback(void (*callback)(const char *text));

namespace {

alignas(16) uint8_t arena[NETWORK_ARENA_BYTES] __attribute__((section(".tensor_arena")));
#if NETWORK_FAST_MEMORY_BYTES > 0
alignas(16) uint8_t fast_memory[NETWORK_FAST_MEMORY_BYTES] __attribute__((section(".fast_memory")));
#else
uint8_t *const fast_memory = nullptr;
#endif

alignas(NetworkOperators) uint8_t operators_memory[sizeof(NetworkOperators)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_memory[sizeof(tflite::MicroInterpreter)];
tflite::MicroInterpreter *interpreter;
message problem;

const char *fail(const char *what)
{
    message_clear(&problem);
    message_text(&problem, "TFLM: ");
    message_text(&problem, what);
    if (!ethosu_platform_problem(&problem) && debug_text_last()[0] != '\0') {
        message_text(&problem, ": ");
        message_text(&problem, debug_text_last());
    }
    return message_get(&problem);
}

// In the memory of the one before it, whose state is gone then.
bool make_interpreter()
{
    const NetworkOperators &operators = *reinterpret_cast<NetworkOperators *>(operators_memory);
    tflite::MicroAllocator *allocator = tflite::MicroAllocator::Create(arena, sizeof arena);
    if (allocator == nullptr) {
        return false;
    }
    tflite::MicroResourceVariables *variables = nullptr;
#if NETWORK_RESOURCES > 0
    variables = tflite::MicroResourceVariables::Create(allocator, NETWORK_RESOURCES);
#endif
    const tflite::Model *model = tflite::GetModel(network_model);
    interpreter = new (interpreter_memory) tflite::MicroInterpreter(model, operators, allocator, variables);
    return interpreter->AllocateTensors() == kTfLiteOk;
}

// The firmware's table was made from the same model; a difference means that the library lays tensors out differently.
bool table_agrees(const network_tensor *table, unsigned count, bool inputs)
{
    for (unsigned i = 0; i < count; i++) {
        const size_t place = table[i].position;
        if (place >= (inputs ? interpreter->inputs_size() : interpreter->outputs_size())) {
            return false;
        }
        const TfLiteTensor *tensor = inputs ? interpreter->input(place) : interpreter->output(place);
        if (tensor == nullptr || tensor->bytes != table[i].bytes) {
            return false;
        }
    }
    return true;
}

} // namespace

enum runtime_kind runtime_kind(void)
{
    return RUNTIME_TFLM;
}

const char *runtime_start(void)
{
    if (RegisterDebugLogCallback != nullptr) {
        RegisterDebugLogCallback(debug_text);
    }
    if (ethosu_platform_start(fast_memory, NETWORK_FAST_MEMORY_BYTES, NETWORK_REGION_CONFIG, NPU_TIMEOUT_MS) != 0) {
        return fail("the NPU cannot be used");
    }
    if (tflite::GetModel(network_model)->version() != TFLITE_SCHEMA_VERSION) {
        return fail("the model has another schema version than this library");
    }
    if (network_add_operators(*new (operators_memory) NetworkOperators) != kTfLiteOk) {
        return fail("an operator cannot be registered");
    }
    if (!make_interpreter()) {
        return fail("the tensors cannot be allocated");
    }
    if (!table_agrees(network_inputs, NETWORK_INPUTS, true) || !table_agrees(network_outputs, NETWORK_OUTPUTS, false)) {
        return fail("its tensors differ from the tensor table");
    }
    return nullptr;
}

// TFLM's own reset fills variables with their zero points and does not call once more what initialises them.
const char *runtime_reset(void)
{
    interpreter->~MicroInterpreter();
    return make_interpreter() ? nullptr : fail("the tensors cannot be allocated again");
}

void *runtime_input(unsigned number)
{
    return interpreter->input(network_inputs[number].position)->data.raw;
}

const void *runtime_output(unsigned number)
{
    return interpreter->output(network_outputs[number].position)->data.raw;
}

const char *runtime_stop_after(uint32_t words)
{
    return words == RUNTIME_WHOLE ? nullptr : "TFLM's interpreter does not stop within a network";
}

const void *runtime_memory(unsigned region, size_t *bytes)
{
    (void)region;
    *bytes = 0;
    return nullptr;
}

const char *runtime_infer(struct runtime_report *report)
{
    npu_counters_clear();
    ethosu_platform_forget_problem();
    if (interpreter->Invoke() != kTfLiteOk) {
        return fail("the inference failed");
    }
    report->arena_used = static_cast<uint32_t>(interpreter->arena_used_bytes());
    npu_counters_get(&report->counters);
    return nullptr;
}
