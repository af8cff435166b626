#include "encoder/specification.h"
