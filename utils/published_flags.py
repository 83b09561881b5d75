"""The flags of the published FaceGAN command line, which a command without a job may give to any job."""

PUBLISHED = frozenset((
    "input_scale_size conv_hidden_num conv_hidden_num_res num_res_rep z_num dataset num_gpu split batch_size "
    "grayscale num_worker cont train_generator generate_dataset fit_dataset pretrained_gen save_syn_dataset "
    "save_fitting pretrained_rec task is_train optimizer max_step lr_update_step warm_up d_lr g_lr ren_lr "
    "reg_lr lr_lower_boundary beta1 beta2 gamma lambda_k use_gpu lambda_d lambda_s lambda_p lambda_c "
    "lambda_c_upper method_c relax_c load_path log_step save_step num_log_id num_log_samples log_level "
    "log_dir data_dir test_data_path sample_per_image random_seed n_id facenet_scope syn_dataset "
    "dataset_3dmm_test syn_scale_size dataset_3dmm logs_base_dir models_base_dir gpu_memory_fraction "
    "pretrained_model model_def max_nrof_epochs image_size epoch_size embedding_size random_crop random_flip "
    "random_rotate keep_probability weight_decay center_loss_factor center_loss_alfa learning_rate "
    "learning_rate_decay_epochs learning_rate_decay_factor moving_average_decay seed nrof_preprocess_threads "
    "log_histograms learning_rate_schedule_file filter_filename filter_percentile "
    "filter_min_nrof_images_per_class lfw_pairs lfw_file_ext lfw_dir lfw_batch_size lfw_nrof_folds "
).split())  # fmt: skip
