uncial_add_test(test_train train/checkpoint_test.cpp train/device_test.cpp train/divergence_test.cpp train/early_stopping_test.cpp
  train/evaluate_test.cpp train/fit_test.cpp train/history_test.cpp train/model_file_test.cpp train/precision_test.cpp
  train/resume_refusal_test.cpp train/resume_test.cpp train/training_test.cpp)
